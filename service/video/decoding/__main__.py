"""The decoder process: the video on descriptor 0, the service on 1, shared memory for frames on a third, if any."""

import json
import mmap
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, replace
from multiprocessing.connection import Connection
from typing import Any, BinaryIO

import av
from av.codec.hwaccel import HWAccel
from av.video.frame import VideoFrame

from service.errors import DecoderUnavailable, TooManyPixels, UndecodableVideo
from service.video.decoding import wire
from service.video.decoding.confinement import (
    allow_computing,
    allow_computing_until_progress,
    confine,
    confine_beside_device,
    die_with_parent,
)
from service.video.decoding.first_frame import probe
from service.video.decoding.frames import read_frames
from service.video.decoding.hardware import Accelerator, Cuda, open_fenced
from service.video.decoding.index import VideoIndex
from service.video.decoding.limits import DecoderLimits
from service.video.decoding.pictures import lay_as_software, write_picture
from service.video.decoding.scan import index_video
from service.video.decoding.slots import SLOTS, U8, planes_of, slot

_WORD_EVERY_SECONDS = 1.0
_LONGEST_TRACE = 4000


class Decoder:
    """Answers the service's requests about one file."""

    def __init__(
        self,
        service: Connection,
        file: BinaryIO,
        memory: mmap.mmap | None,
        limits: DecoderLimits,
        hwaccel: HWAccel | None = None,
    ) -> None:
        self._hwaccel = hwaccel
        self._service = service
        self._file = file
        self._memory = memory
        self._limits = limits
        self._spoke_at = 0.0
        self._sent = 0
        self._taken = 0

    def serve(self) -> None:
        """Until the service hangs up."""
        while True:
            try:
                request = json.loads(self._service.recv_bytes())
            except EOFError:
                return
            allow_computing(self._limits.cpu_seconds)
            self.on_progress()
            self._say(self.answer(request))

    def answer(self, request: dict[str, Any]) -> bytes:
        """The message that ends a request; frames are sent before it."""
        try:
            match request:
                case {"task": "probe"}:
                    info = probe(self._file, self._limits.max_megapixels, self.on_progress)
                    return wire.INFO + wire.pack_json(asdict(info))
                case {"task": "index", "max_frames": max_frames}:
                    return wire.INDEX + wire.pack_index(index_video(self._file, max_frames, self.on_progress))
                case _:
                    self._read(request)
                    return wire.DONE
        except MemoryError:
            return _refusal(UndecodableVideo.code, self._limits.over_memory, limit=True)
        except (UndecodableVideo, TooManyPixels) as error:
            return _refusal(error.code, str(error))
        except Exception:  # noqa: BLE001  (told to the service, which logs it)
            return wire.FAULT + traceback.format_exc()[-_LONGEST_TRACE:].encode()

    def _read(self, request: dict[str, Any]) -> None:
        index = wire.unpack_index(self._service.recv_bytes())
        height, width = request["height"], request["width"]
        for number, frame, in_hardware in self.frames(request, index):
            self.on_progress()
            picture = self._free_slot(height, width)
            header = write_picture(frame, number, planes_of(picture, height, width))
            self._say(replace(header, in_hardware=in_hardware).pack())
            self._sent += 1
        self._await_taken(self._sent)

    def frames(self, request: dict[str, Any], index: VideoIndex) -> Iterator[tuple[int, VideoFrame, bool]]:
        """As `read_frames`. Where the hardware fails, software goes on, and has the last word on the file."""
        first, last = request["first"], request["last"]
        if self._hwaccel is not None:
            try:
                for number, frame, in_hardware in self.decode(request, index, (first, last), self._hwaccel):
                    laid = lay_as_software(frame) if in_hardware else frame
                    first = number + 1
                    yield number, laid, in_hardware
            except (MemoryError, UndecodableVideo, av.error.FFmpegError):
                pass
            else:
                return
        yield from self.decode(request, index, (first, last))

    def decode(
        self, request: dict[str, Any], index: VideoIndex, bounds: tuple[int, int], hwaccel: HWAccel | None = None
    ) -> Iterator[tuple[int, VideoFrame, bool]]:
        return read_frames(
            self._file,
            index,
            bounds,
            max_megapixels=self._limits.max_megapixels,
            threads=request["threads"],
            on_progress=self.on_progress,
            hwaccel=hwaccel,
        )

    def _free_slot(self, height: int, width: int) -> U8:
        assert self._memory is not None
        self._await_taken(self._sent - SLOTS + 1)
        return slot(self._memory, height, width, self._sent)

    def _await_taken(self, count: int) -> None:
        """Until the service has taken that many frames in all."""
        while self._taken < count:
            self._service.recv_bytes()
            self._taken += 1

    def on_progress(self) -> None:
        """Begin a new frame's time, and let the service know now and then that the work goes on."""
        allow_computing_until_progress(self._limits.frame_seconds)
        if time.monotonic() - self._spoke_at > _WORD_EVERY_SECONDS:
            self._say(wire.ALIVE)

    def _say(self, message: bytes) -> None:
        self._spoke_at = time.monotonic()
        self._service.send_bytes(message)


def _refusal(code: str, detail: str, *, limit: bool = False) -> bytes:
    return wire.REFUSED + wire.pack_json({"code": code, "detail": detail, "limit": limit})


def main(argument: str, decoder: type[Decoder] = Decoder, accelerator: Callable[[], Accelerator] = Cuda) -> None:
    """`argument` as `DecoderProcess` gives it."""
    parent, memory_descriptor, in_hardware, given = json.loads(argument)
    limits = DecoderLimits(**given)
    die_with_parent(parent)
    memory = None
    if memory_descriptor is not None:
        memory = mmap.mmap(memory_descriptor, 0)
        os.close(memory_descriptor)
    service, hwaccel = Connection(1), None
    if in_hardware:
        device = accelerator()  # it stays open as long as this does
        try:
            hwaccel = open_fenced(device)
        except DecoderUnavailable as error:
            refuse_everything(service, error)
            return
    with os.fdopen(0, "rb", closefd=False) as file:
        (confine_beside_device if in_hardware else confine)(limits)
        decoder(service, file, memory, limits, hwaccel).serve()


def refuse_everything(service: Connection, error: DecoderUnavailable) -> None:
    """Answer once, and listen until the service hangs up: it may not have asked yet."""
    service.send_bytes(_refusal(error.code, str(error)))
    with suppress(EOFError):
        while True:
            service.recv_bytes()


if __name__ == "__main__":
    main(sys.argv[1])
