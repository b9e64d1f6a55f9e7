"""Colours of the inside of a body and of rooms, and what pixelating leaves."""

import numpy as np
import pytest

from service.imaging.geometry import U8
from service.video.decoding.planes import Colour, Planes
from service.video.over_time.out_of_body import is_out_of_body, pixelate

TISSUE, STEEL, DRAPE, GOWN, GREY = (180, 70, 60), (150, 150, 155), (40, 110, 130), (60, 120, 70), (128, 128, 128)


def picture(*parts: tuple[tuple[int, int, int], float]) -> U8:
    """RGB uint8 [100, 60, 3]: colours from top to bottom, each over its share of the rows; the rest is black."""
    rgb = np.zeros((100, 60, 3), np.uint8)
    row = 0
    for colour, share in parts:
        rgb[row : row + round(100 * share)] = colour
        row += round(100 * share)
    return rgb


@pytest.mark.parametrize(
    ("parts", "outside"),
    [
        ([(TISSUE, 1.0)], False),
        ([(TISSUE, 0.3), (STEEL, 0.7)], False),  # an instrument before the lens
        ([(TISSUE, 0.1), (STEEL, 0.9)], True),
        ([(TISSUE, 0.5), (DRAPE, 0.5)], True),
        ([(TISSUE, 0.9), (DRAPE, 0.1)], False),  # a blue clip
        ([(GOWN, 1.0)], True),
        ([(TISSUE, 0.2)], False),  # a small round picture in black
        ([(DRAPE, 0.2)], True),
        ([], False),  # the light is off
        ([(DRAPE, 0.01)], False),
        ([(GREY, 1.0)], False),  # grey video can't be told
    ],
)
def test_red_is_inside_and_cool_or_colourless_metal_alone_is_outside(
    parts: list[tuple[tuple[int, int, int], float]], outside: bool
) -> None:
    assert is_out_of_body(picture(*parts)) == outside


@pytest.mark.parametrize("size", [(96, 160), (241, 321), (17, 9)])
def test_what_is_pixelated_has_one_value_a_block_and_keeps_its_mean(size: tuple[int, int]) -> None:
    half = (size[0] + 1) // 2, (size[1] + 1) // 2
    noise = np.random.default_rng(1)
    luma, u, v = (noise.integers(0, 256, shape, np.uint8) for shape in (size, half, half))
    planes = Planes.of(luma, u, v, Colour())
    before = planes.y.copy()
    pixelate(planes)
    for plane in (planes.y, planes.u, planes.v):
        rows_that_differ = np.count_nonzero(np.diff(plane.astype(int), axis=0).any(axis=1))
        columns_that_differ = np.count_nonzero(np.diff(plane.astype(int), axis=1).any(axis=0))
        assert max(rows_that_differ, columns_that_differ) <= 15
    assert abs(planes.y.mean() - before.mean()) < 4
