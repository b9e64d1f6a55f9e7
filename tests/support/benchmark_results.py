"""Results with round numbers, as a run of the suite would have left them."""

from typing import Any

from benchmarks.frames import SAME, SERVED, summarise
from benchmarks.throughput import Case, Measurement

MACHINE: dict[str, Any] = {
    "date": "2026-11-21T12:00:00+00:00",
    "cpu": "Example(R) CPU 9000 @ 2.60GHz",
    "cpu_flags": ["avx2"],
    "cores": 2,
    "gpus": 0,
    "memory_gb": 16.0,
    "kernel": "6.1",
    "system": "Linux x86_64",
    "python": "3.11.7",
    "packages": {"onnxruntime": "1.31.1"},
    "commit": {"id": "0123456789ab", "dirty": False},
    "settings": {},
}
STAGES = {"decode": 1.5, "prepare": 0.5, "queue": 0.1, "infer": 7.0, "restore": 0.5, "encode": 0.2}


def measured(contender: str, clients: int, frames_per_second: float, number: int, infer: float = 7.0) -> Measurement:
    """854x480, mask; half a millisecond is lost on the way."""
    stages = STAGES | {"infer": infer}
    around = {"client": round(sum(stages.values()) + 0.5 - infer, 3), "server": round(sum(stages.values()) - infer, 3)}
    milliseconds = sum(stages.values()) + 0.5
    latency = {"p50": milliseconds, "p95": milliseconds + 1, "p99": milliseconds + 3}
    return Measurement(
        contender, Case("854x480", "mask", clients), number, frames_per_second, latency, stages, around, {}, 0.02
    )


def measurements() -> list[Measurement]:
    """Three rounds; the machine is half as fast in the second."""
    rows = []
    for number, speed in enumerate((1.0, 0.5, 1.0)):
        rows += [
            measured("floor", 1, 90 * speed, number),
            measured("floor", 2, 150 * speed, number),
            measured(SERVED, 1, 95 * speed, number),
            measured(SERVED, 16, 140 * speed, number),
            measured(SAME, 1, 50 * speed, number, infer=20.0),
            measured(SAME, 16, 70 * speed, number, infer=20.0),
            measured("litserve", 16, 40 * speed, number),
            measured("triton", 16, 56 * speed, number),
        ]
    return rows


def frames() -> dict[str, Any]:
    rows = measurements()
    active = {"backend": "openvino", "provider": "cpu", "precision": "int8", "threads": 2}
    return {
        "backends": {SERVED: active},
        "dice_with_fp32": {SERVED: 0.9981},
        "titles": {"litserve": "LitServe 0.2", "triton": "NVIDIA Triton (pytriton) 0.7"},
        "load_before_rounds": [{"load_average": 0.5, "busy_share": 0.01, "stolen_share": 0.02}] * 3,
        "failures": [{"contender": "mosec", "round": 0, "error": "it ended with 1; log: no such file\nmore"}],
        "measurements": [row.as_dict() for row in rows],
        "summary": summarise(rows),
        "layouts": [],
    }


def runs() -> list[dict[str, Any]]:
    """Of the part `video`: our way and FFmpeg's, two rounds."""
    made = []
    for number, rate in enumerate((60.0, 56.0)):
        for way, share in (("endomask", 1.0), ("ffmpeg", 2.0)):
            run: dict[str, Any] = {"way": way, "clip": "1920x1080", "round": number}
            run |= {
                "seconds": 500 / rate / share,
                "frames_per_second": rate * share,
                "realtime_factor": rate * share / 25,
            }
            run["cpu_ms_per_frame"] = 30.0 / share
            if way == "endomask":
                run["stage_ms_per_frame"] = {"decode": 4.0, "infer": 8.0, "encode": 12.0 + number}
            made.append(run)
    return made
