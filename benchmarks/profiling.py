"""Where the cores' time goes, for each frame: CPU milliseconds by thread and by stage, under 16 callers and in a 1080p
video. What a budget that is not met is explained with.

All numbers are of CPU time, so they add up: threads of the server, the callers, everybody else, and what stood idle
make the time that the cores had.
"""

import json
import subprocess
import time
from collections import defaultdict
from typing import Any

from benchmarks.bench import FRAME_SIZES, Bench, name_of
from benchmarks.client import Load, wire_format
from benchmarks.clips import CLIP_SIZES, clip
from benchmarks.contenders import endomask_environment
from benchmarks.machine import cpu_seconds
from benchmarks.one_video import OPENED
from benchmarks.peers.wire import HttpRequest
from benchmarks.processes import NAMED_THREADS, end, environment_of, family, python, run
from benchmarks.server_timing import median_stages, parse
from benchmarks.serving import serving
from benchmarks.thread_cpu import Named, ThreadWatch, between, thread_watch
from service.backends.cores import available_cores

CLIENTS = (1, 16)
_SECONDS = 6.0
_QUICK_SECONDS = 1.5
_LEAST_SHARE = 0.002
"""Of the cores; threads below are summed as `other threads`."""


def measure(bench: Bench) -> dict[str, Any]:
    seconds = _QUICK_SECONDS if bench.quick else _SECONDS
    frames = {str(clients): _of_frames(bench, clients, seconds) for clients in CLIENTS}
    return {
        "frame": name_of(FRAME_SIZES[0]),
        "clients": frames,
        "floor": {str(threads): _of_floor(bench, threads, seconds) for threads in sorted({1, available_cores()})},
        "video": _of_video(bench),
    }


def _of_frames(bench: Bench, clients: int, seconds: float) -> dict[str, Any]:
    """Of `serve` as a user starts it, in the middle of a steady load."""
    path = bench.folder / "profile" / "request.bin"
    path.parent.mkdir(parents=True, exist_ok=True)
    headers = {"Content-Type": "image/jpeg", "Accept": "image/png"}
    path.write_bytes(wire_format(HttpRequest("POST", "/v1/segment", headers, bench.jpeg(FRAME_SIZES[0]))))
    with serving(path.parent, (NAMED_THREADS,), **endomask_environment(bench)) as server:
        given = ("--clients", str(clients), "--warm-up-seconds", "2", "--seconds", str(seconds + 2))
        command = python("benchmarks.client", "127.0.0.1", str(server.port), str(path), *given)
        with thread_watch(server.family) as watch:
            load = subprocess.Popen(command, env=environment_of(), stdout=subprocess.PIPE)
            try:
                time.sleep(3)
                window = _Window(watch)
                time.sleep(seconds)
                window.close()
                seen = Load(**json.loads(load.communicate()[0])["load"])
            finally:
                end(load)
    rate = seen.frames_per_second
    stages = median_stages(parse(header) for header in seen.timings)
    bench.say(f"  {clients} clients: {rate:.1f} frames/s")
    return {"frames_per_second": round(rate, 2), "stages_ms": stages, **window.described(rate * window.seconds)}


def _of_floor(bench: Bench, threads: int, seconds: float) -> dict[str, Any]:
    """What the same frame costs in one process, without HTTP."""
    frame = bench.folder / "frames" / f"{name_of(FRAME_SIZES[0])}.jpg"
    given = ("--threads", str(threads), "--seconds", str(seconds), "--warm-up-seconds", "2")
    found = json.loads(run(python("benchmarks.inprocess", str(frame), *given), endomask_environment(bench)).output)
    frames = len(found["milliseconds"])
    bench.say(f"  in one process, {threads} threads: {frames / found['seconds']:.1f} frames/s")
    return {
        "frames_per_second": round(frames / found["seconds"], 2),
        "cpu_ms_per_frame": round(1000 * found["cpu_seconds"] / found["frames_begun"], 3),
        "stages_ms": median_stages(found["stages"]),
    }


def _of_video(bench: Bench) -> dict[str, Any]:
    """Of a 1080p job with all results, from the opened model to the finished files."""
    made = clip(bench, CLIP_SIZES[-1], bench.scale.clip_seconds)
    out = bench.folder / "profile" / "video"
    command = python(NAMED_THREADS, "benchmarks.one_video", "endomask", str(made.path), str(out))
    with family() as name, thread_watch(name) as watch:
        environment = environment_of(**endomask_environment(bench))
        process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        try:
            if process.stdout is None or process.stdout.readline().strip() != OPENED:
                raise RuntimeError("the video's process ended before its model was open")
            window = _Window(watch)
            found = json.loads(process.communicate()[0].splitlines()[-1])
            window.close()
        finally:
            end(process)
    frames = found["frames"]
    stages = found["throughput"]["stage_cpu_seconds"]
    bench.say(f"  {made.name}: {frames / found['seconds']:.1f} frames/s")
    return {
        "clip": made.name,
        "frames_per_second": round(frames / found["seconds"], 2),
        "stages_cpu_ms": {stage: round(1000 * value / frames, 3) for stage, value in stages.items()},
        **window.described(frames),
    }


class _Window:
    """A stretch of time: what the watched threads and the whole machine used in it."""

    def __init__(self, watch: ThreadWatch) -> None:
        self._watch = watch
        self._began_at, self._threads, self._machine = time.monotonic(), watch.snapshot(), cpu_seconds()

    def close(self) -> None:
        self.seconds = time.monotonic() - self._began_at
        self._used = between(self._threads, self._watch.snapshot())
        self._machine = cpu_seconds() - self._machine

    def described(self, frames: float) -> dict[str, Any]:
        """A row for each thread name, the most expensive first; shares are of all cores."""
        had = available_cores() * self.seconds
        rows = _rows(self._used, frames, had)
        ours = sum(self._used.values())
        others = max(0.0, self._machine.busy - ours)
        return {
            "threads": rows,
            "cpu_ms_per_frame": round(1000 * ours / frames, 3),
            "busy_share": round(ours / had, 3),
            "others_share": round(others / had, 3),
            "stolen_share": round(self._machine.stolen / had, 3),
            "idle_share": round(max(0.0, had - ours - others - self._machine.stolen) / had, 3),
        }


def _rows(used: dict[Named, float], frames: float, had: float) -> list[dict[str, Any]]:
    shown: dict[Named, float] = defaultdict(float)
    for (process, thread), seconds in used.items():
        shown[(process, thread) if seconds >= _LEAST_SHARE * had else (process, "other threads")] += seconds
    return [
        {
            "process": process,
            "thread": thread,
            "cpu_ms_per_frame": round(1000 * seconds / frames, 3),
            "share": round(seconds / had, 3),
        }
        for (process, thread), seconds in sorted(shown.items(), key=lambda entry: -entry[1])
    ]
