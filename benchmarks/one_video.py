"""One clip to an annotated clip, by one way, in a process of its own; `python -m benchmarks.one_video WAY CLIP OUT`.

Prints `opened`, and at the end JSON: the seconds and CPU seconds from the opened model to the finished file.
`endomask` makes all results, `endomask-video` the annotated video alone, `opencv` is the loop that everyone writes
first.
"""

import json
import resource
import shutil
import sys
import time
from argparse import ArgumentParser
from dataclasses import asdict
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnxruntime

from service.cli.segment import newest_package
from service.loading import LoadedModel
from service.manifest.package import Package
from service.settings import Settings
from service.video.options import ALL_OUTPUTS, Output, VideoOptions
from service.video.pipeline import process_file
from service.video.segments.model import load_for_videos
from service.video.segments.threads import codec_threads

OPENED = "opened"


def annotate(loaded: LoadedModel, clip: Path, out: Path, outputs: tuple[Output, ...]) -> dict[str, Any]:
    """By the service's own code, as a worker does it; what the summary says of the time."""
    settings = Settings()
    options = VideoOptions(outputs=outputs, segment_seconds=settings.segment_seconds)
    threads = codec_threads(settings)
    summary = process_file(clip, out, loaded, options, lambda _done, _total: None, threads=threads)
    return {"frames": summary.frames.total - summary.frames.damaged, "throughput": asdict(summary.throughput)}


def naive_loop(session: onnxruntime.InferenceSession, clip: Path, out: Path) -> dict[str, Any]:
    """Read, infer, blend, write, one after the other. Same FP32 file; MPEG-4 Part 2, for OpenCV writes no H.264."""
    source = cv2.VideoCapture(str(clip))
    width, height = (int(source.get(key)) for key in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
    codec = cv2.VideoWriter.fourcc(*"mp4v")
    writer = cv2.VideoWriter(str(out / "annotated.mp4"), codec, source.get(cv2.CAP_PROP_FPS), (width, height))
    _, model_height, model_width, _ = session.get_inputs()[0].shape
    frames = 0
    while True:
        there, frame = source.read()
        if not there:
            break
        rgb = cv2.cvtColor(cv2.resize(frame, (model_width, model_height)), cv2.COLOR_BGR2RGB)
        (probabilities,) = session.run(None, {session.get_inputs()[0].name: rgb[np.newaxis]})
        mask = cv2.resize(probabilities[0, 0], (width, height)) > 127
        overlay = frame.copy()
        overlay[mask] = (0, 255, 0)
        writer.write(cv2.addWeighted(overlay, 0.45, frame, 0.55, 0))
        frames += 1
    writer.release()
    return {"frames": frames}


def main(arguments: list[str]) -> None:
    parser = ArgumentParser(prog="python -m benchmarks.one_video", description=__doc__)
    parser.add_argument("way", choices=("endomask", "endomask-video", "opencv"))
    parser.add_argument("clip", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--package", type=Path, help="model package whose FP32 file the naive loop runs")
    given = parser.parse_args(arguments)
    shutil.rmtree(given.out, ignore_errors=True)
    given.out.mkdir(parents=True)
    if given.way == "opencv":
        session = onnxruntime.InferenceSession(
            Package.read(given.package).model_path("fp32"), providers=["CPUExecutionProvider"]
        )
        clock = _start()
        found = naive_loop(session, given.clip, given.out)
    else:
        outputs: tuple[Output, ...] = ALL_OUTPUTS if given.way == "endomask" else ("annotated",)
        cv2.setNumThreads(1)  # as a worker does
        loaded = load_for_videos(newest_package(Settings(), None), Settings())
        clock = _start()
        found = annotate(loaded, given.clip, given.out, outputs)
    sys.stdout.write(json.dumps(found | clock.read()) + "\n")


class _Clock:
    """Wall and CPU time since it was made, children included."""

    def __init__(self) -> None:
        self._started_at, self._cpu = time.perf_counter(), _cpu_seconds()

    def read(self) -> dict[str, float]:
        return {
            "seconds": time.perf_counter() - self._started_at,
            "cpu_seconds": _cpu_seconds() - self._cpu,
        }


def _start() -> _Clock:
    """The model is open; a profile begins here too."""
    sys.stdout.write(f"{OPENED}\n")
    sys.stdout.flush()
    return _Clock()


def _cpu_seconds() -> float:
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


if __name__ == "__main__":
    main(sys.argv[1:])
