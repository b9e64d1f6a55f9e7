"""Videos at a server: sent, asked after, deleted."""

import json
import time
from typing import Any

from benchmarks.peers.wire import HttpRequest
from benchmarks.serving import Server, ask_once

POLL_SECONDS = 0.1


def upload(server: Server, video: bytes) -> str:
    """The job's path; raises RuntimeError when it is not accepted."""
    status, body = ask_once(server.port, HttpRequest("POST", "/v1/videos", {"Content-Type": "video/mp4"}, video))
    if status != 202:
        raise RuntimeError(f"the video was answered {status}: {body[:300]!r}")
    return f"/v1/videos/{json.loads(body)['id']}"


def ask(server: Server, link: str) -> dict[str, Any]:
    """The job as the server tells it."""
    found: dict[str, Any] = json.loads(ask_once(server.port, HttpRequest("GET", link, {}, b""))[1])
    return found


def finish(server: Server, link: str, patience_seconds: float) -> dict[str, Any]:
    """Wait until it has succeeded; raises RuntimeError when it ends otherwise or takes longer."""
    deadline = time.monotonic() + patience_seconds
    while (job := ask(server, link))["status"] != "succeeded":
        if job["status"] not in {"queued", "running"} or time.monotonic() > deadline:
            raise RuntimeError(f"the video is {job['status']}: {job['error']}")
        time.sleep(POLL_SECONDS)
    return job


def delete(server: Server, link: str, patience_seconds: float) -> None:
    """Delete the job, and wait until it is gone."""
    ask_once(server.port, HttpRequest("DELETE", link, {}, b""))
    deadline = time.monotonic() + patience_seconds
    while ask_once(server.port, HttpRequest("GET", link, {}, b""))[0] == 200 and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
