"""What /metrics says after known requests; Prometheus' own parser reads it."""

from collections.abc import Iterator

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from service.metrics import Metrics
from tests.support.red import red_frame, write_red_package
from tests.support.running import PNG, RED_PNG, encode, red_settings, running


@pytest.fixture
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    settings = red_settings(tmp_path_factory.mktemp("metrics"))
    write_red_package(settings.models_dir, name="many", classes=3)
    with running(settings) as started:
        yield started


def value(client: TestClient, name: str, **labels: str) -> float | None:
    """One sample, None when there is none."""
    for family in text_string_to_metric_families(client.get("/metrics").text):
        for sample in family.samples:
            if sample.name == f"endomask_{name}" and sample.labels == labels:
                return sample.value
    return None


def post(client: TestClient, body: bytes = RED_PNG, query: str = "") -> None:
    client.post(f"/v1/segment{query}", content=body, headers=PNG)


def test_frames_are_counted_by_model_with_and_without_a_find(client: TestClient) -> None:
    post(client)
    post(client, encode(red_frame(box=(0, 0, 0, 0))))
    post(client, query="?model=many")
    assert value(client, "frames_total", model="red", source="frames") == 2
    assert value(client, "frames_without_detection_total", model="red", source="frames") == 1
    assert value(client, "frames_total", model="many", source="frames") == 1
    assert value(client, "frame_coverage_ratio_count", **{"model": "many", "class": "unseen2"}) == 1
    assert value(client, "frame_coverage_ratio_sum", **{"model": "red", "class": "tool"}) == pytest.approx(
        0.104, abs=0.01
    )
    assert value(client, "frame_confidence_count", model="red") == 2


def test_every_stage_and_batch_is_timed(client: TestClient) -> None:
    post(client)
    for stage in ("decode", "prepare", "queue", "infer", "restore", "encode"):
        assert value(client, "stage_seconds_count", stage=stage, model="red") == 1
    assert value(client, "batch_size_sum", model="red") == 1
    assert value(client, "queue_depth", model="red", priority="frames") == 0


def test_requests_are_counted_by_route_model_and_outcome(client: TestClient) -> None:
    post(client)
    post(client, b"text")
    client.get("/v1/models/red")
    assert value(client, "requests_total", route="/v1/segment", model="red", outcome="ok") == 1
    assert value(client, "requests_total", route="/v1/segment", model="red", outcome="refused") == 1
    assert value(client, "requests_total", route="/v1/models/{name}", model="none", outcome="ok") == 1
    assert value(client, "request_seconds_count", route="/v1/segment") == 2
    assert value(client, "rejected_total", reason="unsupported_media_type") == 1
    assert value(client, "inflight") == 1  # the scrape itself


def test_what_strangers_send_never_becomes_a_label(client: TestClient) -> None:
    for number in range(20):
        client.get(f"/stranger-{number}")
        client.get(f"/v1/models/stranger-{number}")
        post(client, query=f"?model=stranger-{number}")
        client.request(f"STRANGER{number}", "/v1/segment")
    text = client.get("/metrics").text
    assert "stranger" not in text.lower()
    assert value(client, "requests_total", route="other", model="none", outcome="refused") == 20


def test_models_say_what_they_run_on(client: TestClient) -> None:
    labels = {"model": "red", "version": "1", "backend": "fake", "provider": "cpu", "precision": "fp32"}
    assert value(client, "model_info", **labels) == 1
    assert value(client, "model_loads_total", model="red", outcome="loaded") == 1


def test_a_database_that_does_not_answer_costs_the_video_numbers_only(client: TestClient) -> None:
    assert value(client, "video_jobs", status="queued") == 0
    client.app.state.jobs.close()  # type: ignore[attr-defined]
    client.app.state.jobs.statistics = None  # type: ignore[attr-defined]
    assert value(client, "video_jobs", status="queued") is None
    assert value(client, "inflight") == 1


def test_open_metrics_are_given_when_asked_for(client: TestClient) -> None:
    answer = client.get("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    assert any(family.name == "endomask_inflight" for family in parse_openmetrics(answer.text))


def test_two_apps_in_one_process_count_apart() -> None:
    first, second = Metrics(CollectorRegistry()), Metrics(CollectorRegistry())
    first.frames.labels("red", "frames").inc()
    assert b'model="red"' in first.expose("")[0]
    assert b'model="red"' not in second.expose("")[0]
