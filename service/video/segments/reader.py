"""A video as the service reads it: probe, index, and frames as planes, all decoded in a process of its own."""

import mmap
import os
import struct
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from av.video.frame import VideoFrame
from pydantic import TypeAdapter, ValidationError

from service.errors import TooManyPixels
from service.video.decoding import wire
from service.video.decoding.index import Segment, VideoIndex
from service.video.decoding.limits import DecoderLimits
from service.video.decoding.planes import Colour, Planes
from service.video.decoding.probe import VideoInfo
from service.video.decoding.process import DECODER_COMMAND, DecoderProcess
from service.video.decoding.slots import SLOTS, picture_bytes, planes_of, slot
from service.video.options import DecoderName

_INFO = TypeAdapter(VideoInfo)


def probe(path: Path, limits: DecoderLimits) -> VideoInfo:
    """Open a video and decode its first frame; raises UndecodableVideo, TooManyPixels, DecoderKilled."""
    with DecoderProcess(path, limits) as process:
        return _probe(process, limits)


def survey(path: Path, limits: DecoderLimits, max_frames: int | None = None) -> tuple[VideoInfo, VideoIndex]:
    """`probe` and `index_video` by one decoder, whose start costs a quarter of a second of computing."""
    with DecoderProcess(path, limits) as process:
        return _probe(process, limits), _index(process, max_frames)


def index_video(path: Path, limits: DecoderLimits, max_frames: int | None = None) -> VideoIndex:
    """Find every frame, decode none; raises UndecodableVideo when there is no frame, DecoderKilled."""
    with DecoderProcess(path, limits) as process:
        return _index(process, max_frames)


def _probe(process: DecoderProcess, limits: DecoderLimits) -> VideoInfo:
    process.send(wire.pack_json({"task": "probe"}))
    kind, body = process.receive()
    try:
        info = _INFO.validate_json(body if kind == wire.INFO else b"", strict=True)
    except ValidationError as error:
        raise process.misled() from error
    if not 0 < info.width * info.height <= limits.max_megapixels * 1e6:
        raise TooManyPixels(
            f"the video's frames are {info.width}x{info.height}; {limits.max_megapixels:g} MP are the most"
        )
    return info


def _index(process: DecoderProcess, max_frames: int | None) -> VideoIndex:
    process.send(wire.pack_json({"task": "index", "max_frames": max_frames}))
    kind, body = process.receive()
    try:
        return wire.unpack_index(body if kind == wire.INDEX else b"")
    except (ValueError, struct.error, ZeroDivisionError) as error:
        raise process.misled() from error


def read_frames(
    path: Path, index: VideoIndex, segment: Segment, size: tuple[int, int], limits: DecoderLimits, threads: int
) -> Iterator[tuple[int, Planes]]:
    """Yield `(frame index, planes)` of a segment; see `FrameReader`."""
    with FrameReader(path, index, size, limits, threads) as reader:
        yield from reader.read(segment)


class FrameReader:
    """Context: frames of a video's segments, one after another, as planes of `size` (height, width).

    The decoder dies with the thread that entered the context. A read that is not finished can't be followed by another.
    """

    def __init__(
        self,
        path: Path,
        index: VideoIndex,
        size: tuple[int, int],
        limits: DecoderLimits,
        threads: int,
        command: Sequence[str] = DECODER_COMMAND,
        decoder: DecoderName = "software",
    ) -> None:
        self._path = path
        self._index = index
        self._height, self._width = size
        self._limits = limits
        self._threads = threads
        self._command = command
        self._decoder = decoder
        self.in_hardware = False
        """Whether hardware decoded the frame that came last."""
        self._taken = 0
        self._done: deque[VideoFrame] = deque()
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            descriptor = os.memfd_create("frames", os.MFD_CLOEXEC)
            stack.callback(os.close, descriptor)
            os.ftruncate(descriptor, SLOTS * picture_bytes(self._height, self._width))
            self._memory = mmap.mmap(descriptor, 0, prot=mmap.PROT_READ)
            decoder = DecoderProcess(
                self._path, self._limits, descriptor, self._command, in_hardware=self._decoder != "software"
            )
            self.process = stack.enter_context(decoder)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def read(self, segment: Segment) -> Generator[tuple[int, Planes]]:
        """Yield `(frame index, planes)` in the order shown; indexes that are missing could not be decoded.

        Raises UndecodableVideo with its kinds DecoderLimit and DecoderCrashed, DecoderKilled and DecoderUnavailable.
        """
        request = {"task": "read", "first": segment.first, "last": segment.last, "threads": self._threads}
        self.process.send(wire.pack_json({**request, "height": self._height, "width": self._width}))
        self.process.send(wire.pack_index(self._index))
        before = segment.first - 1
        while (header := self._next(before, segment.last)) is not None:
            before, self.in_hardware = header.number, header.in_hardware
            yield header.number, self._take(header)

    def _next(self, before: int, last: int) -> wire.FrameHeader | None:
        kind, body = self.process.receive()
        if kind == wire.DONE:
            return None
        try:
            header = wire.FrameHeader.unpack(body if kind == wire.FRAME else b"")
        except struct.error as error:
            raise self.process.misled() from error
        if not before < header.number < last:
            raise self.process.misled()
        return header

    def _take(self, header: wire.FrameHeader) -> Planes:
        """Copy a picture out of its slot, and give the slot back."""
        colour = Colour(header.space, header.range, header.primaries, header.transfer)
        planes = Planes.empty(self._height, self._width, colour, self._done.popleft() if self._done else None)
        lying = planes_of(slot(self._memory, self._height, self._width, self._taken), self._height, self._width)
        for target, source in zip((planes.y, planes.u, planes.v), lying, strict=True):
            target[:] = source
        self._taken += 1
        self.process.send(wire.TAKEN)
        return planes

    def reuse(self, planes: Planes) -> None:
        """A picture that nobody looks at any more: the memory of those to come, as new memory costs more to touch."""
        self._done.append(planes.frame)
