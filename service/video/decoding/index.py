"""When each frame of a video is shown, where decoding can start, and the segments from that."""

from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt

from service.storage.disk import appearing
from service.video.options import VideoOptions

I64 = npt.NDArray[np.int64]


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
    repaired: bool = False
    """The file's times went back. They were put in order, and frames are counted from the beginning of the file."""
    discarded: int = 0
    """Stored frames that the file itself says are not shown."""

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
        base, flags = self.time_base, (int(self.ordinal), int(self.repaired))
        numbers = [base.numerator, base.denominator, self.last_duration, *flags, self.discarded]
        with appearing(path) as temporary, temporary.open("wb") as file:
            np.savez_compressed(file, stamps=self.stamps, keyframes=self.keyframes, numbers=np.array(numbers))

    @classmethod
    def load(cls, path: Path) -> Self:
        with np.load(path, allow_pickle=False) as arrays:
            numerator, denominator, last_duration, *flags = (int(value) for value in arrays["numbers"])
            ordinal, repaired, discarded = flags
            base = Fraction(numerator, denominator)
            stamps, keyframes = arrays["stamps"], arrays["keyframes"]
            return cls(stamps, keyframes, base, last_duration, bool(ordinal), bool(repaired), discarded)


@dataclass(frozen=True, slots=True)
class Segment:
    """Frames `first` to `last - 1` of a video, the unit of work that survives a killed process."""

    number: int
    first: int
    last: int

    @property
    def name(self) -> str:
        return f"{self.number:05d}"


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
