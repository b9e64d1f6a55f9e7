"""H.264 in MP4: one file a segment, then all of them joined without encoding again."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import cast

import av
from av.container import Flags, OutputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from service.video.segments.encoder import VideoFormat, set_up

_BITEXACT = cast(int, Flags.bitexact.value)
"""Leaves dates and versions out of the file."""


@dataclass(frozen=True, slots=True)
class Part:
    """An encoded segment, and when its first frame is shown in the joined video, in the video's time base."""

    path: Path
    starts_at: int


class SegmentWriter:
    """Encodes frames to one MP4 whose first frame is shown at 0."""

    def __init__(self, path: Path, video: VideoFormat, threads: int) -> None:
        self._container = av.open(str(path), "w", format="mp4")
        self._container.flags |= _BITEXACT
        self._stream = self._container.add_stream(video.encoder, rate=video.frame_rate)
        set_up(self._stream.codec_context, video, threads)
        self._time_base = video.time_base
        self.starts_at: int | None = None
        """When the first frame is shown, as given; None before there is one."""

    def write(self, frame: VideoFrame, time: int) -> None:
        """Encode a frame shown at `time`, in the video's time base; times ascend."""
        if self.starts_at is None:
            self.starts_at = time
        frame.pts, frame.time_base = time - self.starts_at, self._time_base
        self._container.mux(self._stream.encode(frame))

    def close(self) -> None:
        if self.starts_at is not None:
            self._container.mux(self._stream.encode(None))
        self._container.close()


def join(parts: Sequence[Part], target: Path, time_base: Fraction, ends_at: int) -> None:
    """Join segments into one MP4 with its index in front, a frame shown until the next, the last to `ends_at`."""
    with av.open(str(target), "w", format="mp4", options={"movflags": "+faststart"}) as joined:
        joined.flags |= _BITEXACT
        _mux(joined, parts, time_base, ends_at)


def _mux(joined: OutputContainer, parts: Sequence[Part], time_base: Fraction, ends_at: int) -> None:
    with av.open(str(parts[0].path)) as first:
        stream = joined.add_stream_from_template(first.streams.video[0])
        stream.time_base = time_base
        packets = _retimed(parts, time_base)
        time, packet = next(packets)
        for following, coming in chain(packets, [(ends_at, None)]):
            packet.duration = following - time
            packet.stream = stream
            joined.mux(packet)
            if coming is not None:
                time, packet = following, coming


def _retimed(parts: Sequence[Part], time_base: Fraction) -> Iterator[tuple[int, "Packet[VideoStream]"]]:
    """Packets of all segments in order, each with its time in the joined video."""
    for part in parts:
        with av.open(str(part.path)) as container:
            for packet in container.demux(container.streams.video[0]):
                if packet.pts is None:
                    continue
                time = part.starts_at + round(packet.pts * packet.time_base / time_base)
                packet.time_base = time_base
                packet.pts = packet.dts = time
                yield time, packet
