"""What of a video is lost, and when: frames that can't be decoded, holes between frames, and what its end lacks."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from service.video.decoding.index import VideoIndex
from service.video.decoding.probe import VideoInfo
from service.video.over_time.analysis import Floats

MOST_LISTED = 100
"""Places of each kind that are listed; the counts are of all."""

_REGULAR_SHARE = 0.9
"""Share of the steps from frame to frame that are the usual one in a video of constant rate; holes are told there."""
_STEP_TOLERANCE = 0.1
_SHORTER_SECONDS = 1.0
"""A header's duration may be this much too long without anything missing."""


@dataclass(frozen=True, slots=True)
class LostFrames:
    """A stretch of time without pictures, in seconds from the first frame; `frames` None when it can't be told."""

    start_s: float
    end_s: float
    frames: int | None


@dataclass(frozen=True, slots=True)
class Damage:
    """At most a hundred places of each kind."""

    undecodable: list[LostFrames]
    """Frames that the file holds and that could not be decoded; the annotated video shows the one before instead."""
    gaps: list[LostFrames]
    """Times at which a video of constant rate holds no frame: lost before it came here, or the recording paused."""
    missing_at_end: LostFrames | None
    """What the header announces and the file does not hold: it was cut off."""
    times_repaired: bool
    """The file's times went back; frames are shown in the order in which they are stored, at the usual pace."""

    @property
    def any(self) -> bool:
        return bool(self.undecodable or self.gaps or self.missing_at_end or self.times_repaired)


def assess(info: VideoInfo, index: VideoIndex, undecodable: Sequence[int], *, whole: bool) -> Damage:
    """`undecodable` are indexes of frames, ascending; `whole` is False when only the first frames were asked for."""
    times_s = np.asarray(index.times * float(index.time_base), np.float64)
    return Damage(
        undecodable=_runs(np.append(times_s, index.duration_s), undecodable)[:MOST_LISTED],
        gaps=_gaps(times_s)[:MOST_LISTED],
        missing_at_end=_missing_at_end(info, index) if whole else None,
        times_repaired=index.repaired,
    )


def _runs(bounds_s: Floats, numbers: Sequence[int]) -> list[LostFrames]:
    """Neighbouring frames put together; `bounds_s` are the times of all frames and the end."""
    if not numbers:
        return []
    runs = np.split(np.array(numbers), np.flatnonzero(np.diff(numbers) != 1) + 1)
    return [_lost(bounds_s[run[0]], bounds_s[run[-1] + 1], len(run)) for run in runs]


def _gaps(times_s: Floats) -> list[LostFrames]:
    """Steps of two or more usual ones, with the frames that would have been in between."""
    steps = np.diff(times_s)
    if not len(steps):
        return []
    usual = float(np.median(steps))
    multiples = np.round(steps / usual)
    regular = np.abs(steps - multiples * usual) <= _STEP_TOLERANCE * usual
    if np.mean(regular & (multiples == 1)) < _REGULAR_SHARE:
        return []
    wide = np.flatnonzero(multiples >= 2)
    return [_lost(times_s[place] + usual, times_s[place + 1], int(multiples[place]) - 1) for place in wide]


def _missing_at_end(info: VideoInfo, index: VideoIndex) -> LostFrames | None:
    """Headers with a number of frames are taken at their word, those with a duration alone from a second on."""
    frames = info.frames - len(index) - index.discarded if info.frames else None
    end_s = max(info.duration_s or 0.0, index.duration_s)
    if frames is not None:
        return _lost(index.duration_s, end_s, frames) if frames > 0 else None
    return _lost(index.duration_s, end_s, None) if end_s - index.duration_s > _SHORTER_SECONDS else None


def _lost(start_s: float, end_s: float, frames: int | None) -> LostFrames:
    return LostFrames(round(float(start_s), 3), round(float(end_s), 3), frames)
