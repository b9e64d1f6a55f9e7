"""What was lost is counted and located: by hand-made indexes with known holes."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from service.video.decoding.index import VideoIndex
from service.video.decoding.probe import VideoInfo
from service.video.results.damage import LostFrames, assess

INFO = VideoInfo("mov", "h264", "yuv420p", 128, 96, 0, 25.0, 4.0, 100, "1:1", 1)


def index_of(stamps: list[int], **changes: object) -> VideoIndex:
    made = VideoIndex(np.array(stamps), np.array([0]), Fraction(1, 25), 1, ordinal=False)
    return replace(made, **changes)  # type: ignore[arg-type]


def test_a_whole_video_has_no_damage() -> None:
    damage = assess(INFO, index_of(list(range(100))), [], whole=True)
    assert not damage.any


def test_neighbouring_lost_frames_are_one_stretch_of_time() -> None:
    damage = assess(INFO, index_of(list(range(100))), [3, 10, 11, 12, 99], whole=True)
    assert damage.undecodable == [LostFrames(0.12, 0.16, 1), LostFrames(0.4, 0.52, 3), LostFrames(3.96, 4.0, 1)]


def test_a_hole_in_a_regular_video_is_counted_in_frames() -> None:
    stamps = [*range(50), *range(57, 100)]
    damage = assess(replace(INFO, frames=None), index_of(stamps), [], whole=True)
    assert damage.gaps == [LostFrames(2.0, 2.28, 7)]


def test_a_video_of_variable_rate_has_no_holes() -> None:
    stamps = np.cumsum(np.random.default_rng(0).integers(1, 9, 100)).tolist()
    assert assess(replace(INFO, frames=None, duration_s=None), index_of(stamps), [], whole=True).gaps == []


@pytest.mark.parametrize(
    ("frames", "duration_s", "discarded", "expected"),
    [
        (100, 4.0, 0, LostFrames(2.4, 4.0, 40)),
        (100, 4.0, 40, None),
        (None, 4.0, 0, LostFrames(2.4, 4.0, None)),
        (None, 3.2, 0, None),
        (None, None, 0, None),
        (60, 1.0, 0, None),
    ],
)
def test_a_cut_off_end_is_told_by_what_the_header_announces(
    frames: int | None, duration_s: float | None, discarded: int, expected: LostFrames | None
) -> None:
    info = replace(INFO, frames=frames, duration_s=duration_s)
    index = index_of(list(range(60)), discarded=discarded)
    assert assess(info, index, [], whole=True).missing_at_end == expected
    assert assess(info, index, [], whole=False).missing_at_end is None


def test_of_many_places_the_first_hundred_are_listed() -> None:
    damage = assess(INFO, index_of(list(range(1000))), list(range(0, 1000, 2)), whole=True)
    assert len(damage.undecodable) == 100
