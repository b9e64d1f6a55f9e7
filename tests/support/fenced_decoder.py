"""A decoder whose hardware is played by /dev/zero and FFmpeg's software, fenced in as a GPU's. Its first argument says
what is wrong with it, or `works`.

python -P -m tests.support.fenced_decoder works ...
"""

import sys
import threading
from collections.abc import Iterator
from typing import Any

import av
import numpy as np
from av.codec.hwaccel import HWAccel

from service.errors import DecoderUnavailable
from service.video.decoding import landlock
from service.video.decoding.__main__ import Decoder, main
from service.video.decoding.index import VideoIndex
from tests.support.decoding import lay
from tests.support.hostile_decoder import DEVICE, HostileDecoder, touch

FORMATS = {"yuv420p": "nv12", "yuvj420p": "nv12", "yuv420p10le": "p010le"}
"""What software decodes -> the same values as hardware lays them in memory."""
FAILURES = {"fails_midway": av.error.ExternalError(0, "the device is gone"), "runs_out_of_memory": MemoryError()}
GOOD_FRAMES = 3
"""Of hardware that fails then."""


def command(trick: str, *more: str) -> tuple[str, ...]:
    return (sys.executable, "-P", "-m", "tests.support.fenced_decoder", trick, *more)


class StandIn:
    """In for a GPU."""

    def load(self) -> dict[str, int]:
        if TRICK == "starts_a_thread_too_early":
            threading.Thread(target=threading.Event().wait, daemon=True).start()
        if TRICK == "can_not_be_fenced":
            for _ in range(16):  # as many as the kernel puts on one another
                landlock.restrict({})
        return {str(DEVICE): landlock.READ | landlock.WRITE, "/proc/self": landlock.READ}

    def start(self) -> HWAccel:
        touch()
        if TRICK == "does_not_start":
            raise DecoderUnavailable("the stand-in has no memory left")
        return HWAccel("cuda")


class FencedDecoder(HostileDecoder):
    def answer(self, request: dict[str, Any]) -> bytes:
        return super().answer(request) if hasattr(self, TRICK) else Decoder.answer(self, request)

    def decode(
        self, request: dict[str, Any], index: VideoIndex, bounds: tuple[int, int], hwaccel: HWAccel | None = None
    ) -> Iterator[tuple[int, av.VideoFrame, bool]]:
        if TRICK == "has_no_gpu":
            yield from super().decode(request, index, bounds, hwaccel)
            return
        for count, (number, frame, _) in enumerate(super().decode(request, index, bounds)):
            if hwaccel is None or frame.format.name not in FORMATS:
                yield number, frame, False
                continue
            touch()
            if TRICK in FAILURES and count == GOOD_FRAMES:
                raise FAILURES[TRICK]
            laid = lay(frame, FORMATS[frame.format.name])
            if TRICK == "decodes_wrong":
                np.frombuffer(memoryview(laid.planes[1]), np.uint8)[0] ^= 1
            yield number, laid, TRICK != "falls_back"


TRICK = sys.argv[1] if __name__ == "__main__" else ""

if __name__ == "__main__":
    main(sys.argv[-1], FencedDecoder, StandIn)
