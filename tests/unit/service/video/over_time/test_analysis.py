"""Numbers over time, against answers counted by hand."""

import numpy as np
import pytest

from service.video.over_time.analysis import (
    Interval,
    appearances,
    bridge_gaps,
    distribution,
    frame_durations,
    intervals,
    temporal_iou,
    time_in_view,
)


def mask(*cells: int) -> np.ndarray:
    return np.array(cells, np.uint8).reshape(2, -1)


def test_temporal_iou_counts_pixels_of_the_same_class_over_pixels_of_any() -> None:
    # Both show class 1 in one cell; 1 against 2, 0 against 1 and 2 against 0 differ: 1 of 4.
    assert temporal_iou(mask(1, 1, 0, 2, 0, 0), mask(1, 2, 1, 0, 0, 0)) == pytest.approx(1 / 4)


def test_temporal_iou_of_equal_masks_is_one_and_of_two_empty_ones_is_not_known() -> None:
    assert temporal_iou(mask(1, 0, 2, 0), mask(1, 0, 2, 0)) == 1.0
    assert temporal_iou(mask(0, 0, 0, 0), mask(0, 0, 0, 0)) is None
    assert temporal_iou(mask(0, 0, 0, 0), mask(1, 0, 0, 0)) == 0.0


def test_a_frame_stands_until_the_next_and_the_last_until_the_end() -> None:
    assert frame_durations(np.array([0.0, 0.04, 0.2]), 0.24) == pytest.approx([0.04, 0.16, 0.04])
    assert len(frame_durations(np.zeros(0), 1.0)) == 0


def test_intervals_join_neighbours_and_end_with_the_last_frame_shown() -> None:
    times = np.array([0.0, 1.0, 2.0, 3.0, 4.0, 5.0])
    seen = np.array([True, True, False, False, True, False])
    durations = frame_durations(times, 6.0)
    assert intervals(times, durations, seen) == [Interval(0.0, 2.0), Interval(4.0, 5.0)]
    assert time_in_view(durations, seen) == 3.0
    assert appearances(seen) == 2


@pytest.mark.parametrize(("seen", "expected"), [(False, []), (True, [Interval(0.0, 2.0)])])
def test_never_and_always_in_view(seen: bool, expected: list[Interval]) -> None:
    times = np.array([0.0, 1.0])
    flags = np.array([seen, seen])
    assert intervals(times, frame_durations(times, 2.0), flags) == expected
    assert appearances(flags) == len(expected)


def test_a_distribution_names_mean_extremes_and_percentiles() -> None:
    found = distribution([0.0, 0.1, 0.2, 0.3, 0.4])
    assert (found.mean, found.minimum, found.median, found.maximum) == (0.2, 0.0, 0.2, 0.4)
    assert (found.p05, found.p25, found.p75, found.p95) == (0.02, 0.1, 0.3, 0.38)
    assert distribution([]).mean is None


def test_gaps_up_to_the_longest_are_bridged_and_ends_stay() -> None:
    seen = np.array([0, 1, 0, 1, 0, 0, 1, 0], bool)
    durations = np.full(8, 0.1)
    assert bridge_gaps(durations, seen, 0.1).tolist() == [False, True, True, True, False, False, True, False]
    assert bridge_gaps(durations, seen, 0.2).tolist() == [False, *[True] * 6, False]
    assert bridge_gaps(durations, seen, 0.0).tolist() == seen.tolist()
    assert bridge_gaps(np.zeros(0), np.zeros(0, bool), 1.0).tolist() == []
