"""Ten times more frames than can be answered: how long do the accepted ones take, and how soon are the others refused?

`python -m benchmarks.overload [SECONDS]` measures this alone.
"""

import json
import sys
from pathlib import Path
from typing import Any

from benchmarks.bench import FRAME_SIZES, FULL, Bench
from benchmarks.client import wire_format
from benchmarks.contenders import endomask_environment
from benchmarks.machine import ROOT
from benchmarks.pacer import Paced
from benchmarks.peers.wire import HttpRequest
from benchmarks.processes import python, run
from benchmarks.serving import put_under_load, serving
from benchmarks.statistics import latency

TIMES_CAPACITY = 10
_CLIENTS = 16
_SECONDS = 20.0
_QUICK_SECONDS = 4.0


def measure(bench: Bench, seconds: float | None = None) -> dict[str, Any]:
    """One caller alone, sixteen in turns for the capacity, then ten times that at a fixed pace."""
    length = seconds or (_QUICK_SECONDS if bench.quick else _SECONDS)
    headers = {"Content-Type": "image/jpeg", "Accept": "image/png"}
    request = HttpRequest("POST", "/v1/segment", headers, bench.jpeg(FRAME_SIZES[0]))
    folder = bench.folder / "load"
    with serving(bench.folder / "overload", **endomask_environment(bench)) as server:
        alone, _ = put_under_load(server.port, request, folder, clients=1, warm_up_seconds=1, seconds=length / 2)
        crowd, _ = put_under_load(server.port, request, folder, clients=_CLIENTS, warm_up_seconds=1, seconds=length / 4)
        pace = TIMES_CAPACITY * crowd.frames_per_second
        bench.say(f"  capacity {crowd.frames_per_second:.1f} frames/s; sending {pace:.0f} a second for {length:g} s")
        paced = _send(server.port, request, folder, pace, length)
    return _judge(latency(alone.milliseconds), crowd.frames_per_second, paced, length)


def _send(port: int, request: HttpRequest, folder: Path, pace: float, seconds: float) -> Paced:
    (folder / "request.bin").write_bytes(wire_format(request))
    given = (str(folder / "request.bin"), "--per-second", str(pace), "--seconds", str(seconds))
    return Paced(**json.loads(run(python("benchmarks.pacer", "127.0.0.1", str(port), *given)).output))


def _judge(alone: dict[str, float], capacity: float, paced: Paced, seconds: float) -> dict[str, Any]:
    accepted, refused = latency(paced.accepted_ms), latency(paced.refused_ms)
    return {
        "capacity_frames_per_second": round(capacity, 2),
        "sent_per_second": round(paced.sent / seconds, 1),
        "accepted_per_second": round(len(paced.accepted_ms) / seconds, 2),
        "alone_ms": alone,
        "accepted_ms": accepted,
        "refused_ms": refused,
        "p99_ratio": round(accepted["p99"] / alone["p99"], 2) if accepted else None,
        "refused_p99_ms": refused.get("p99"),
        "other_errors": sum(paced.others.values()),
        "others": paced.others,
    }


if __name__ == "__main__":
    found = measure(Bench(FULL, ROOT / "build/bench"), float(sys.argv[1]) if len(sys.argv) > 1 else None)
    sys.stdout.write(json.dumps(found, indent=2) + "\n")
