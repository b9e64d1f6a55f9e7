"""Prometheus itself reads the running service: the text, the scrape, the alert rules."""

import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.server import ROOT, RunningServer, free_port
from tests.support.waiting import wait_until

DEADLINE_S = 60
FRAMES = 3
COUNTER = 'endomask_requests_total{route="/v1/segment",outcome="ok"}'

pytestmark = pytest.mark.skipif(
    shutil.which("prometheus") is None or shutil.which("promtool") is None,
    reason="prometheus is not installed (Debian: prometheus)",
)


@pytest.fixture(scope="module")
def busy_server(server: RunningServer) -> RunningServer:
    """The running server, after it has answered frames."""
    frame = (ROOT / "examples/frame.jpg").read_bytes()
    for _ in range(FRAMES):
        headers = {"Content-Type": "image/jpeg"}
        answer = httpx.post(f"{server.url}/v1/segment", content=frame, headers=headers, timeout=DEADLINE_S)
        assert answer.status_code == 200, answer.text
    return server


@pytest.fixture
def prometheus(busy_server: RunningServer, tmp_path: Path) -> Iterator[httpx.Client]:
    """A client of a Prometheus that runs with the shipped configuration and scrapes the running server."""
    for name in ("prometheus.yml", "alerts.yml"):
        text = (ROOT / "deploy/prometheus" / name).read_text()
        text = text.replace("endomask:8000", busy_server.host_port).replace("_interval: 10s", "_interval: 1s")
        (tmp_path / name).write_text(text)
    listen = f"127.0.0.1:{free_port()}"
    options = {"config.file": "prometheus.yml", "storage.tsdb.path": "tsdb", "web.listen-address": listen}
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            ["prometheus", *[f"--{name}={value}" for name, value in options.items()]],
            cwd=tmp_path,
            stdout=log,
            stderr=log,
        )
    try:
        with httpx.Client(base_url=f"http://{listen}/api/v1", timeout=DEADLINE_S) as client:
            yield client
    finally:
        process.terminate()
        process.wait(timeout=DEADLINE_S)


def ask(client: httpx.Client, expression: str) -> list[dict[str, Any]]:
    """The instant query's samples, once there are any."""
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        try:
            answer = client.get("/query", params={"query": expression})
        except httpx.TransportError:
            answer = None
        if answer is not None and answer.is_success and (samples := answer.json()["data"]["result"]):
            return list(samples)
        time.sleep(0.2)
    raise AssertionError(f"Prometheus has no sample for {expression} after {DEADLINE_S} s")


def test_promtool_finds_nothing_to_complain_about(busy_server: RunningServer) -> None:
    text = httpx.get(f"{busy_server.url}/metrics", timeout=DEADLINE_S).text
    checked = subprocess.run(
        ["promtool", "check", "metrics"], input=text, capture_output=True, text=True, timeout=DEADLINE_S, check=False
    )
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


def test_prometheus_scrapes_the_running_service_and_counts_its_frames(
    prometheus: httpx.Client, busy_server: RunningServer
) -> None:
    assert [sample["value"][1] for sample in ask(prometheus, "up == 1")] == ["1"]
    (sample,) = ask(prometheus, f"sum({COUNTER})")
    assert float(sample["value"][1]) >= FRAMES
    (info,) = ask(prometheus, 'endomask_model_info{job="endomask"} == 1')[:1]
    assert info["metric"]["provider"] in {"cpu", "cuda"}


def test_no_alert_is_active_on_a_healthy_service(prometheus: httpx.Client) -> None:
    """Nor is one for long: where others take the machine for a second, a scrape is late."""

    def states() -> dict[str, tuple[str, str]]:
        groups = prometheus.get("/rules").json()["data"]["groups"]
        return {rule["name"]: (rule["health"], rule["state"]) for group in groups for rule in group["rules"]}

    ask(prometheus, f"sum({COUNTER})")
    assert len(states()) == 10
    wait_until(lambda: set(states().values()) == {("ok", "inactive")}, "a rule is active, or not evaluated")
