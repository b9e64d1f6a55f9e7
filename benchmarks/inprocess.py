"""The floor: decode, the graph, encode, by the service's own functions in one process, without HTTP.

`python -m benchmarks.inprocess JPEG --threads N` prints JSON. Each thread takes a frame through all its steps. As in
the service, one thread's frames run on all of a CPU's threads, and those of several in lanes beside each other.
"""

import json
import sys
import threading
import time
from argparse import ArgumentParser
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2

from service.answers import make_encoder
from service.backends import Backend
from service.cli.segment import load_newest
from service.loading import LoadedModel
from service.memory import keep_freed_pages
from service.pipeline import FrameOptions, StageTimes, close_frame, open_frame
from service.settings import Settings

_Frame = tuple[float, float, dict[str, float]]
"""When it began and ended, and the milliseconds of its stages."""


class _Floor:
    def __init__(self, loaded: LoadedModel, backend: Backend, jpeg: bytes, settings: Settings) -> None:
        self._loaded = loaded
        self._backend = backend
        self._jpeg = jpeg
        self._options = FrameOptions(settings.max_frame_megapixels, instances=False)
        self._encode = make_encoder("mask", "none", settings.overlay_opacity)
        self._device = threading.Semaphore(backend.lanes)
        self.answer = b""
        """The last one."""

    def frame(self) -> _Frame:
        times, began_at = StageTimes(), time.perf_counter()
        manifest = self._loaded.manifest
        opened = open_frame(self._jpeg, "image/jpeg", manifest.input.spec(), self._options, times)
        with times.measure("queue"):
            self._device.acquire()
        try:
            with times.measure("infer"):
                probabilities = self._backend.run(opened.prepared[None])[0]
        finally:
            self._device.release()
        self.answer = self._encode(close_frame(opened, probabilities, manifest, self._options, times)).body
        return began_at, time.perf_counter(), {stage: 1000 * value for stage, value in times.seconds.items()}

    def frames(self, until: float) -> list[_Frame]:
        done = []
        while time.perf_counter() < until:
            done.append(self.frame())
        return done


def measure(floor: _Floor, threads: int, warm_up_seconds: float, seconds: float) -> dict[str, Any]:
    """Milliseconds and stages of the frames that were finished in the `seconds` after the warm-up, at least of one; CPU
    seconds of all of them, the warm-up's too."""
    cpu_before = time.process_time()
    counted_from = time.perf_counter() + warm_up_seconds
    until = counted_from + seconds
    with ThreadPoolExecutor(threads) as pool:
        done = [frame for part in pool.map(floor.frames, [until] * threads) for frame in part]
    counted = [frame for frame in done if counted_from <= frame[1] <= until] or done[-1:]
    return {
        "seconds": max(until, counted[-1][1]) - counted_from,
        "milliseconds": [round(1000 * (ended - began), 4) for began, ended, _ in counted],
        "stages": [stages for _, _, stages in counted],
        "cpu_seconds": time.process_time() - cpu_before,
        "frames_begun": len(done),
    }


def main(arguments: list[str]) -> None:
    parser = ArgumentParser(prog="python -m benchmarks.inprocess", description=__doc__)
    parser.add_argument("jpeg", type=Path)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--warm-up-seconds", type=float, default=0.5)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--answer", type=Path, help="where to write a mask")
    given = parser.parse_args(arguments)
    cv2.setNumThreads(1)  # as `serve` does
    keep_freed_pages()
    settings = Settings()
    loaded = load_newest(settings, None)
    backend = (loaded.open_under_load() if given.threads > 1 else None) or loaded.backend
    floor = _Floor(loaded, backend, given.jpeg.read_bytes(), settings)
    measured = measure(floor, given.threads, given.warm_up_seconds, given.seconds)
    if given.answer is not None:
        given.answer.write_bytes(floor.answer)
    sys.stdout.write(json.dumps(measured) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
