"""One long video on one worker, and on as many as there are cores, each on a core of its own as on small machines.

`python -m benchmarks.spread_video [SECONDS [ROUNDS]]` measures this alone; rounds take turns, every second one the
other way about.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from benchmarks.bench import FULL, Bench
from benchmarks.clips import CLIP_SIZES, clip
from benchmarks.contenders import endomask_environment
from benchmarks.machine import ROOT
from benchmarks.peers.wire import HttpRequest
from benchmarks.processes import end, environment_of, python
from benchmarks.serving import Server, ask_once, serving
from benchmarks.statistics import ratio, spread
from benchmarks.video_jobs import POLL_SECONDS, finish, upload

_PATIENCE_SECONDS = 600.0
_WARM_UP_SECONDS = 20


def measure(bench: Bench, seconds: int, rounds: int) -> dict[str, Any]:
    """Seconds from upload to the finished job by number of workers, and how much sooner many are done."""
    cores = sorted(os.sched_getaffinity(0))
    video = clip(bench, CLIP_SIZES[0], seconds).path.read_bytes()
    warm_up = clip(bench, CLIP_SIZES[0], _WARM_UP_SECONDS).path.read_bytes()
    took: dict[int, list[float]] = {1: [], len(cores): []}
    environment = _environment(bench)
    with serving(bench.folder / "spread", **environment) as server:
        for number in range(rounds):
            for workers in sorted(took, reverse=number % 2 == 1):
                with _working(bench, server, cores[:workers], environment):
                    finish(server, upload(server, warm_up), _PATIENCE_SECONDS)
                    began_at = time.monotonic()
                    finish(server, upload(server, video), _PATIENCE_SECONDS)
                    took[workers].append(time.monotonic() - began_at)
                bench.say(f"  {workers} workers: {took[workers][-1]:.1f} s for {seconds} s of video")
    return {
        "clip_seconds": seconds,
        "seconds": {str(workers): spread(found) for workers, found in took.items()},
        "sooner": ratio(took[1], took[len(cores)]),
    }


def _environment(bench: Bench) -> dict[str, str]:
    data = bench.folder / "spread" / "data"
    shutil.rmtree(data, ignore_errors=True)
    return {**endomask_environment(bench), "ENDOMASK_WORKERS": "0", "ENDOMASK_DATA_DIR": str(data)}


@contextmanager
def _working(bench: Bench, server: Server, cores: list[int], environment: dict[str, str]) -> Iterator[None]:
    """A worker on each of the cores, all of them known to the server."""
    with (bench.folder / "spread" / "workers.log").open("ab") as log:
        started = [
            subprocess.Popen(
                ["taskset", "-c", str(core), *python("service", "worker")],
                env=environment_of(**environment),
                stdout=log,
                stderr=log,
            )
            for core in cores
        ]
        try:
            _wait_for_workers(server, len(cores))
            yield
        finally:
            for worker in started:
                end(worker)
            _wait_for_workers(server, 0)


def _wait_for_workers(server: Server, wanted: int) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < deadline:
        ready = json.loads(ask_once(server.port, HttpRequest("GET", "/readyz", {}, b""))[1])
        if ready["workers"] == wanted:
            return
        time.sleep(POLL_SECONDS)
    raise RuntimeError(f"there are not {wanted} workers after {_PATIENCE_SECONDS:g} s")


if __name__ == "__main__":
    given = [int(word) for word in sys.argv[1:]]
    seconds, rounds = (*given, *(80, 1)[len(given) :])
    found = measure(Bench(FULL, ROOT / "build/bench"), seconds, rounds)
    sys.stdout.write(json.dumps(found, indent=2) + "\n")
