"""One caller's frames while the worker annotates a video, and while it does not: stretches of both in turns, every
second round the other way about.

`python -m benchmarks.live_beside_video [ROUNDS [SECONDS]]` measures this alone.
"""

import json
import shutil
import sys
import time
from itertools import chain
from typing import Any

from benchmarks.bench import FRAME_SIZES, FULL, Bench
from benchmarks.clips import CLIP_SIZES, clip
from benchmarks.contenders import endomask_environment
from benchmarks.machine import ROOT
from benchmarks.peers.wire import HttpRequest
from benchmarks.serving import Server, put_under_load, serving
from benchmarks.statistics import latency, ratio, spread
from benchmarks.video_jobs import POLL_SECONDS, ask, delete, upload

_CLIP_SECONDS = 120
_SETTLE_SECONDS = 120.0


def measure(bench: Bench, rounds: int | None = None, seconds: float | None = None) -> dict[str, Any]:
    """p99 of single frames beside a running video through that without, each from all rounds together."""
    rounds = rounds or (1 if bench.quick else max(bench.scale.rounds, 3))
    stretch = seconds or (1.0 if bench.quick else 8.0)
    video = clip(bench, CLIP_SIZES[0], 10 if bench.quick else _CLIP_SECONDS).path.read_bytes()
    quiet: list[list[float]] = []
    beside: list[list[float]] = []
    paces = []
    with serving(bench.folder / "live", **_environment(bench)) as server:
        for number in range(rounds):
            if number % 2 == 0:
                quiet.append(_frames(bench, server, stretch))
            link = _start_video(server, video)
            done, began_at = _frames_done(server, link), time.monotonic()
            beside.append(_frames(bench, server, stretch))
            paces.append((_frames_done(server, link) - done) / (time.monotonic() - began_at))
            _stop_video(server, link)
            if number % 2 == 1:
                quiet.append(_frames(bench, server, stretch))
            bench.say(f"  round {number + 1}: without {latency(quiet[-1])}  beside {latency(beside[-1])}")
    return _judge(quiet, beside, paces)


def _environment(bench: Bench) -> dict[str, str]:
    """One worker, and a data folder of its own without the jobs of an earlier run, which it would take up."""
    data = bench.folder / "live" / "data"
    shutil.rmtree(data, ignore_errors=True)
    return {**endomask_environment(bench), "ENDOMASK_WORKERS": "1", "ENDOMASK_DATA_DIR": str(data)}


def _judge(quiet: list[list[float]], beside: list[list[float]], paces: list[float]) -> dict[str, Any]:
    without, with_video = latency([*chain(*quiet)]), latency([*chain(*beside)])
    medians = ([latency(part)["p50"] for part in beside], [latency(part)["p50"] for part in quiet])
    return {
        "without_ms": without,
        "beside_ms": with_video,
        "p99_ratio": round(with_video["p99"] / without["p99"], 2),
        "p50_ratio": ratio(*medians),
        "video_frames_per_second": spread(paces),
    }


def _frames(bench: Bench, server: Server, seconds: float) -> list[float]:
    headers = {"Content-Type": "image/jpeg", "Accept": "image/png"}
    request = HttpRequest("POST", "/v1/segment", headers, bench.jpeg(FRAME_SIZES[0]))
    seen, _ = put_under_load(server.port, request, bench.folder / "load", clients=1, warm_up_seconds=1, seconds=seconds)
    return seen.milliseconds


def _start_video(server: Server, video: bytes) -> str:
    """Upload and wait until frames are done; the job's path."""
    link = upload(server, video)
    deadline = time.monotonic() + _SETTLE_SECONDS
    while not _frames_done(server, link):
        if time.monotonic() > deadline:
            raise RuntimeError(f"no frame of the video was done after {_SETTLE_SECONDS:g} s")
        time.sleep(POLL_SECONDS)
    return link


def _frames_done(server: Server, link: str) -> int:
    job = ask(server, link)
    if job["status"] not in {"queued", "running"}:
        raise RuntimeError(f"the video is {job['status']} while frames are measured beside it: {job['error']}")
    return int(job["progress"]["frames_done"])


def _stop_video(server: Server, link: str) -> None:
    """Delete the job, and give its worker time to notice."""
    delete(server, link, _SETTLE_SECONDS)
    time.sleep(1.0)


if __name__ == "__main__":
    given = [float(word) for word in sys.argv[1:]]
    found = measure(Bench(FULL, ROOT / "build/bench"), *(int(given[0]),) if given else (), *given[1:2])
    sys.stdout.write(json.dumps(found, indent=2) + "\n")
