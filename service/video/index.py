"""One pass over a video's packets: when each frame is shown, where decoding can start, and the segments from that."""

from array import array
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt
from av.container import InputContainer
from av.video.stream import VideoStream

from service.errors import UndecodableVideo
from service.video.container import VideoPacket, open_video, read_packets
from service.video.options import VideoOptions

I64 = npt.NDArray[np.int64]

_REORDER_FRAMES = 64
"""Packets read past `max_frames`: a frame may be stored this far from where it is shown."""
_ORDINAL_CODECS = {"h264", "hevc"}
"""In AVI, which has no presentation times, FFmpeg guesses wrong ones for these: the n-th frame that the decoder gives
is the n-th frame."""


@dataclass(frozen=True, slots=True)
class VideoIndex:
    """Every frame of a video in the order in which it is shown; the position in this order is the frame's index."""

    stamps: I64
    """Presentation time of each frame as the file gives it, in `time_base`, ascending."""
    keyframes: I64
    """Indexes of the frames from which decoding can start, ascending."""
    time_base: Fraction
    last_duration: int
    """How long the last frame is shown, in `time_base`."""
    ordinal: bool
    """Frames are told apart by their order, not by their time."""

    def __len__(self) -> int:
        return len(self.stamps)

    @property
    def times(self) -> I64:
        """Time of each frame since the first, in `time_base`, strictly ascending."""
        steps = np.arange(len(self.stamps), dtype=np.int64)
        times: I64 = np.maximum.accumulate(self.stamps - self.stamps[0] - steps) + steps
        return times

    @property
    def duration_s(self) -> float:
        return float((int(self.times[-1]) + self.last_duration) * self.time_base)

    def save(self, path: Path) -> None:
        """Write the index; a reader sees all of it or nothing."""
        temporary = path.with_suffix(".tmp")
        numbers = [self.time_base.numerator, self.time_base.denominator, self.last_duration, int(self.ordinal)]
        with temporary.open("wb") as file:
            np.savez_compressed(file, stamps=self.stamps, keyframes=self.keyframes, numbers=np.array(numbers))
        temporary.replace(path)

    @classmethod
    def load(cls, path: Path) -> Self:
        with np.load(path, allow_pickle=False) as arrays:
            numerator, denominator, last_duration, ordinal = (int(value) for value in arrays["numbers"])
            return cls(
                arrays["stamps"], arrays["keyframes"], Fraction(numerator, denominator), last_duration, bool(ordinal)
            )


@dataclass(frozen=True, slots=True)
class Segment:
    """Frames `first` to `last - 1` of a video, the unit of work that survives a killed process."""

    number: int
    first: int
    last: int

    @property
    def name(self) -> str:
        return f"{self.number:05d}"


def index_video(path: Path, max_frames: int | None = None) -> VideoIndex:
    """Read every packet, decode none; raises UndecodableVideo when there is no frame."""
    with open_video(path) as (container, stream):
        ordinal = container.format.name == "avi" and stream.codec_context.name in _ORDINAL_CODECS
        stamps, keys, durations = _read_packets(container, stream, ordinal, max_frames)
        time_base = stream.time_base
    if not len(stamps) or time_base is None:
        raise UndecodableVideo("the video stream holds no frames")
    order = np.argsort(stamps, kind="stable")[:max_frames]
    stamps = stamps[order]
    duration = int(durations[order[-1]]) or _usual_step(stamps)
    return VideoIndex(stamps, np.flatnonzero(keys[order]).astype(np.int64), time_base, duration, ordinal)


def plan_segments(index: VideoIndex, options: VideoOptions) -> list[Segment]:
    """Cut the video every `segment_seconds`, at the next keyframe where one comes in time.

    Starting at a keyframe saves decoding twice. Every segment starts with a frame that is segmented (its index is a
    multiple of `frame_step`), so no segment needs a mask of the one before.
    """
    length = max(1, round(options.segment_seconds / float(index.time_base)))
    times = index.times
    bounds = [0]
    while (following := _next_bound(times, index.keyframes, bounds[-1], length, options.frame_step)) < len(index):
        bounds.append(following)
    bounds.append(len(index))
    return [Segment(number, *pair) for number, pair in enumerate(pairwise(bounds))]


def _next_bound(times: I64, keyframes: I64, start: int, length: int, step: int) -> int:
    wanted = int(np.searchsorted(times, times[start] + length))
    latest = int(np.searchsorted(times, times[start] + 2 * length))
    following = int(np.searchsorted(keyframes, wanted))
    if following < len(keyframes) and keyframes[following] <= latest:
        wanted = int(keyframes[following])
    return max(start + step, -(-wanted // step) * step)


def _read_packets(
    container: InputContainer, stream: VideoStream, ordinal: bool, max_frames: int | None
) -> tuple[I64, npt.NDArray[np.bool_], I64]:
    stamps, keys, durations = array("q"), array("b"), array("q")
    for packet in read_packets(container, stream):
        stamp = stamp_of(packet, ordinal)
        if stamp is None or not packet.size or packet.is_discard:
            continue
        stamps.append(stamp)
        keys.append(packet.is_keyframe)
        durations.append(packet.duration or 0)
        if max_frames is not None and len(stamps) >= max_frames + _REORDER_FRAMES:
            break
    return np.array(stamps, np.int64), np.array(keys, np.bool_), np.array(durations, np.int64)


def stamp_of(packet: VideoPacket, ordinal: bool) -> int | None:
    """Presentation time of a packet's frame; in a container without such times, the decoding time."""
    if ordinal or packet.pts is None:
        return packet.dts
    return packet.pts


def _usual_step(stamps: I64) -> int:
    return max(1, int(np.median(np.diff(stamps)))) if len(stamps) > 1 else 1
