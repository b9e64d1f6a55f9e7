"""Every failing route answers in one shape, and no route gives a code that its documentation does not name."""

import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import TimeoutError as NoConnectionLeft
from starlette.testclient import TestClient

from service import errors
from service.backends.choice import Choice
from service.errors import EndomaskError, StartError
from service.manifest.package import Package
from service.schemas import Problem
from service.settings import Settings
from tests.support.red import FakeBackend, red_frame, write_red_package
from tests.support.running import PNG, RED_PNG, encode, red_settings, running

POISON = (7, 77, 177)


def failing_backend(_package: Package, _settings: Settings) -> Choice:
    return Choice(FakeBackend(fails_on=POISON))


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    folder = tmp_path_factory.mktemp("errors")
    settings = red_settings(folder, max_frame_megapixels=0.02)
    write_red_package(settings.models_dir, name="stale")
    with running(settings, failing_backend) as started:
        write_red_package(settings.models_dir, name="stale", version=2)
        (settings.models_dir / "stale" / "2" / "model.onnx").write_bytes(b"damaged")
        yield started


def poison() -> bytes:
    frame = red_frame()
    frame[:] = POISON
    return encode(frame)


FAILURES: list[tuple[str, str, dict[str, Any], int, str]] = [
    ("GET", "/nothing", {}, 404, "not_found"),
    ("GET", "/v1/segment", {}, 405, "method_not_allowed"),
    ("DELETE", "/v1/models", {}, 405, "method_not_allowed"),
    ("POST", "/metrics", {}, 405, "method_not_allowed"),
    ("GET", "/v1/models/nope", {}, 404, "unknown_model"),
    ("POST", "/v1/models/nope/reload", {}, 404, "unknown_model"),
    ("POST", "/v1/models/stale/reload", {}, 409, "conflict"),
    ("POST", "/v1/segment?model=nope", {"content": RED_PNG}, 404, "unknown_model"),
    ("POST", "/v1/segment", {"content": b""}, 400, "empty_body"),
    ("POST", "/v1/segment", {"content": RED_PNG, "headers": {"Accept": "video/mp4"}}, 406, "not_acceptable"),
    ("POST", "/v1/segment", {"content": RED_PNG, "headers": {"Content-Length": "99000000"}}, 413, "too_large"),
    ("POST", "/v1/segment", {"content": encode(red_frame(200, 200))}, 413, "too_many_pixels"),
    ("POST", "/v1/segment", {"content": b"text"}, 415, "unsupported_media_type"),
    ("POST", "/v1/segment?threshold=2", {"content": RED_PNG}, 422, "invalid_parameter"),
    ("POST", "/v1/segment", {"content": RED_PNG[:99]}, 422, "undecodable_frame"),
    ("POST", "/v1/segment", {"content": poison()}, 500, "inference_failed"),
]


@pytest.mark.parametrize(("method", "path", "sent", "status", "code"), FAILURES)
def test_every_failure_has_the_one_shape_and_a_documented_code(
    client: TestClient, method: str, path: str, sent: dict[str, Any], status: int, code: str
) -> None:
    answer = client.request(method, path, **sent)
    assert answer.headers["content-type"] == "application/problem+json"
    problem = Problem.model_validate_json(answer.content)
    assert (answer.status_code, problem.status, problem.code) == (status, status, code)
    assert problem.request_id == answer.headers["X-Request-ID"]
    assert len(problem.detail) > 10
    assert not re.search(r"/(work|tmp|home|usr)/|Traceback|File \"", answer.text)
    if code not in {"not_found", "method_not_allowed"}:
        assert code in documented(client, method, path).get(str(status), "")


def documented(client: TestClient, method: str, path: str) -> dict[str, str]:
    """Status -> description of the operation that this path belongs to."""
    for template, operations in client.get("/openapi.json").json()["paths"].items():
        pattern = re.sub(r"\{[^}]+\}", "[^/]+", template)
        if re.fullmatch(pattern, path.partition("?")[0]) and method.lower() in operations:
            responses = operations[method.lower()]["responses"]
            return {status: entry["description"] for status, entry in responses.items()}
    raise AssertionError(f"{method} {path} is not in the document")


def test_a_wrong_method_is_told_the_right_ones(client: TestClient) -> None:
    answer = client.put("/v1/segment")
    assert answer.headers["Allow"] == "POST, OPTIONS"
    assert "/v1/segment doesn't take PUT; it takes POST, OPTIONS" in answer.json()["detail"]


def test_options_names_the_methods_without_a_body(client: TestClient) -> None:
    answer = client.options("/v1/models")
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["Allow"] == "GET, HEAD, OPTIONS"


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/metrics", "/v1/models", "/docs", "/openapi.json"])
def test_head_is_get_without_the_body(client: TestClient, path: str) -> None:
    head, get = client.head(path), client.get(path)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-type"] == get.headers["content-type"]


def test_a_fault_of_ours_is_logged_with_its_trace_and_told_without(
    client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        answer = client.post("/v1/segment", content=poison(), headers={**PNG, "X-Request-ID": "find-me"})
    assert "the device refused" not in answer.text
    (record,) = [entry for entry in caplog.records if "find-me" in entry.getMessage()]
    assert record.exc_info is not None
    assert "RuntimeError: the device refused this batch" in caplog.text


def test_so_is_one_on_a_file_among_several(client: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    files = [("file", ("good.png", RED_PNG, "image/png")), ("file", ("bad.png", poison(), "image/png"))]
    with caplog.at_level(logging.ERROR):
        answer = client.post("/v1/segment", files=files, headers={"X-Request-ID": "find-us"})
    assert [entry.get("code") for entry in answer.json()["frames"]] == [None, "inference_failed"]
    (record,) = [entry for entry in caplog.records if "find-us" in entry.getMessage()]
    assert record.exc_info is not None
    assert "RuntimeError: the device refused this batch" in caplog.text


def test_what_nobody_caught_is_a_problem_too_and_its_words_stay_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with running(red_settings(tmp_path)) as client:
        client.app.state.registry = None  # type: ignore[attr-defined]
        with caplog.at_level(logging.ERROR):
            answer = client.get("/v1/models")
    problem = Problem.model_validate_json(answer.content)
    assert (problem.status, problem.code) == (500, "internal")
    assert "NoneType" not in problem.detail
    assert any(entry.exc_info for entry in caplog.records)


def test_a_database_whose_connections_are_all_in_use_is_asked_again_later(tmp_path: Path) -> None:
    def get(job_id: str) -> None:
        raise NoConnectionLeft("QueuePool limit of size 5 overflow 10 reached")

    with running(red_settings(tmp_path)) as client:
        client.app.state.jobs.get = get  # type: ignore[attr-defined]
        answer = client.get("/v1/videos/any")
    problem = Problem.model_validate_json(answer.content)
    assert (problem.status, problem.code) == (503, "not_ready")
    assert answer.headers["Retry-After"]
    assert "QueuePool" not in problem.detail


def every_error() -> list[type[EndomaskError]]:
    found = [entry for entry in vars(errors).values() if isinstance(entry, type) and issubclass(entry, EndomaskError)]
    return [entry for entry in found if not issubclass(entry, StartError)]


def test_the_error_tree_in_the_docstring_is_the_tree_in_the_code() -> None:
    tree = errors.__doc__ or ""
    for error in every_error():
        assert re.search(rf"{error.__name__}\b", tree), error.__name__


def test_every_error_that_http_can_give_is_documented_somewhere(client: TestClient) -> None:
    text = json.dumps(client.get("/openapi.json").json()["paths"])
    abstract = {"bad_request", "unavailable", "not_found", "method_not_allowed"}
    missing = {error.code for error in every_error() if f"`{error.code}`" not in text} - abstract
    assert missing == set()
