"""Twenty minutes of frames and videos: does memory stay where it is? Only when asked for by name."""

import json
import shutil
import time
from collections import Counter
from statistics import median
from typing import Any

from benchmarks.bench import FRAME_SIZES, Bench
from benchmarks.clips import CLIP_SIZES, clip
from benchmarks.contenders import endomask_environment
from benchmarks.peers.wire import HttpRequest
from benchmarks.processes import members, memory_by_process
from benchmarks.serving import Server, ask_once, put_under_load, serving

SECONDS = 1200.0
QUICK_SECONDS = 20.0
_STRETCH_SECONDS = 10.0
_CLIENTS = 4


def measure(bench: Bench) -> dict[str, Any]:
    """Frames from four clients while videos are processed one after another; memory of all processes meanwhile."""
    seconds = QUICK_SECONDS if bench.quick else SECONDS
    video = clip(bench, CLIP_SIZES[0], bench.scale.clip_seconds).path.read_bytes()
    folder = bench.folder / "soak"
    shutil.rmtree(folder / "data", ignore_errors=True)  # a job that an earlier soak left would be taken up
    given = endomask_environment(bench) | {"ENDOMASK_DATA_DIR": str(folder / "data"), "ENDOMASK_WORKERS": "1"}
    with serving(folder, **given) as server:
        return _soak(bench, server, video, seconds)


def _soak(bench: Bench, server: Server, video: bytes, seconds: float) -> dict[str, Any]:
    frame = HttpRequest("POST", "/v1/segment", {"Content-Type": "image/jpeg"}, bench.jpeg(FRAME_SIZES[0]))
    upload = HttpRequest("POST", "/v1/videos", {"Content-Type": "video/mp4"}, video)
    samples: list[tuple[float, dict[str, float]]] = []
    failed: Counter[str] = Counter()
    answers, videos = 0, 0
    stretch = min(_STRETCH_SECONDS, seconds / 4)
    started_at = time.monotonic()
    for _ in range(round(seconds / stretch)):
        if not _busy(server):
            status, _ = ask_once(server.port, upload)
            videos += status == 202
            failed[f"video {status}"] += status != 202
        seen, _ = put_under_load(
            server.port, frame, bench.folder / "load", clients=_CLIENTS, warm_up_seconds=0, seconds=stretch
        )
        answers += len(seen.milliseconds)
        failed.update({status: count for status, count in seen.statuses.items() if status != "200"})
        failed["broken"] += seen.broken
        samples.append((round(time.monotonic() - started_at, 1), memory_by_process(members(server.family))))
        bench.say(f"  {samples[-1][0]:6.0f} s  {samples[-1][1]} MB  {answers} frames, {videos} videos  {+failed}")
    return described(samples) | {
        "seconds": seconds,
        "frames": answers,
        "videos": videos,
        "failed": failed.total(),
        "failures": dict(+failed),
    }


def described(samples: list[tuple[float, dict[str, float]]]) -> dict[str, Any]:
    """Memory and growth of all processes together, and the growth of each that was there all the time."""
    lasting = set.intersection(*(set(by_process) for _, by_process in samples)) if samples else set()
    sums = [round(sum(by_process.values()), 1) for _, by_process in samples]
    return {
        "memory_mb": [(at, total) for (at, _), total in zip(samples, sums, strict=True)],
        "growth_mb": growth(sums),
        "growth_mb_by_process": {
            name: growth([by_process[name] for _, by_process in samples]) for name in sorted(lasting)
        },
    }


def growth(megabytes: list[float]) -> float:
    """Median of the last quarter minus that of the second one: the first warms up. 0 with fewer than four values."""
    quarter = len(megabytes) // 4
    if not quarter:
        return 0.0
    return round(median(megabytes[-quarter:]) - median(megabytes[quarter : 2 * quarter]), 1)


def _busy(server: Server) -> bool:
    """Whether a video waits or is at work."""
    asked = (HttpRequest("GET", f"/v1/videos?status={status}&limit=1", {}, b"") for status in ("queued", "running"))
    return any(json.loads(ask_once(server.port, request)[1])["total"] for request in asked)
