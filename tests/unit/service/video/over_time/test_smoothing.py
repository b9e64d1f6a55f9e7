"""The moving mean of probabilities, against NumPy, and from anywhere on."""

import numpy as np
import pytest

from service.video.options import LONGEST_SMOOTHING
from service.video.over_time.smoothing import Smoother, warm_up_frames

FRAMES = np.random.default_rng(3).integers(0, 256, (40, 2, 5, 7), np.uint8)


def test_each_frame_is_the_mean_of_itself_and_those_before() -> None:
    smoother = Smoother(3, 1)
    for number, frame in enumerate(FRAMES):
        window = FRAMES[max(0, number - 2) : number + 1].astype(np.float64)
        assert np.array_equal(smoother.add(number, frame), np.floor(window.mean(axis=0) + 0.5))


def test_a_window_of_one_changes_nothing() -> None:
    smoother = Smoother(1, 1)
    assert all(smoother.add(number, frame) is frame for number, frame in enumerate(FRAMES))


@pytest.mark.parametrize("window", [2, 5, LONGEST_SMOOTHING])
@pytest.mark.parametrize("step", [1, 3])
def test_who_begins_a_warm_up_earlier_gets_what_a_run_from_the_start_gets(window: int, step: int) -> None:
    numbers = [number * step for number in range(len(FRAMES)) if number % 7 != 3]  # some can't be decoded
    start = 30 * step
    whole, late = Smoother(window, step), Smoother(window, step)
    expected = {number: whole.add(number, FRAMES[number // step]) for number in numbers}
    found = {
        number: late.add(number, FRAMES[number // step])
        for number in numbers
        if number >= start - warm_up_frames(window, step)
    }
    assert all(np.array_equal(found[number], expected[number]) for number in numbers if number >= start)


@pytest.mark.parametrize("window", [LONGEST_SMOOTHING, 256])
def test_the_longest_window_of_certain_frames_stays_certain(window: int) -> None:
    smoother = Smoother(window, 1)
    certain = np.full((1, 2, 2), 255, np.uint8)
    assert all((smoother.add(number, certain) == 255).all() for number in range(2 * window))


@pytest.mark.parametrize("window", [0, 257])
def test_a_window_that_can_not_be_summed_is_refused(window: int) -> None:
    with pytest.raises(ValueError, match=f"a window of {window} frames; 1 to 256"):
        Smoother(window, 1)
