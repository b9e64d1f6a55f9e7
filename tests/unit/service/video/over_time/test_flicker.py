"""Flicker, counted by hand."""

import numpy as np
import pytest

from service.video.over_time.flicker import Flicker, measure_flicker


def flicker_of(states: str, row_s: float = 0.1) -> Flicker:
    """One character a row, `x` where the class is seen."""
    return measure_flicker(np.full(len(states), row_s), np.array([state == "x" for state in states]))


def test_a_moment_out_of_view_and_a_moment_in_view_are_flickers() -> None:
    # Ten rows of 0.1 s each: one row missing in a run of ten, two rows seen in a run of eight.
    found = flicker_of("xxxxx.xxxx" + "....xx....")
    assert found == Flicker(flickers=2, per_minute=60.0, share=3 / 20)


def test_what_lasts_longer_is_none() -> None:
    assert flicker_of("xxx...xxx...xxx").flickers == 0


def test_the_first_and_the_last_run_are_none_for_nobody_knows_how_long_they_last() -> None:
    assert flicker_of("x.....x").flickers == 0


def test_every_run_of_a_class_that_comes_and_goes_is_one() -> None:
    assert flicker_of("x.x.x.x.x.").flickers == 8


@pytest.mark.parametrize("row_s", [0.21, 1.0])
def test_rows_too_far_apart_tell_nothing(row_s: float) -> None:
    assert flicker_of("xx.xx", row_s) == Flicker(None, None, None)


def test_no_row_tells_nothing() -> None:
    assert flicker_of("").flickers is None
