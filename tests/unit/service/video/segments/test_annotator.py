"""Drawing on YUV planes, compared with the same drawn in RGB."""

import numpy as np
import pytest

from service.imaging.geometry import U8
from service.video.decoding.planes import Colour, Planes, to_rgb
from service.video.segments.annotator import Annotator
from service.video.segments.measuring import Mask

PALETTE = [(0, 0, 0), (0, 200, 80), (40, 90, 255)]
BT709 = Colour(space=1, range=1)


def grey(height: int, width: int, colour: Colour) -> Planes:
    half = ((height + 1) // 2, (width + 1) // 2)
    return Planes.of(np.full((height, width), 100, np.uint8), *(np.full(half, 128, np.uint8) for _ in "uv"), colour)


def two_boxes(height: int, width: int) -> U8:
    labels = np.zeros((height, width), np.uint8)
    labels[20:60, 11:51] = 1
    labels[31:71, 61:90] = 2
    return labels


@pytest.mark.parametrize("colour", [Colour(), BT709, Colour(space=1, range=2)])
@pytest.mark.parametrize(("height", "width"), [(96, 128), (95, 127)])
def test_inside_a_class_its_colour_is_blended_in(colour: Colour, height: int, width: int) -> None:
    planes, labels = grey(height, width, colour), two_boxes(height, width)
    before = to_rgb(planes).astype(float)
    Annotator(PALETTE, 0.5).draw(planes, Mask.of(labels))
    after = to_rgb(planes).astype(float)
    for class_id, (y, x) in {1: (40, 30), 2: (50, 75)}.items():
        expected = before[y, x] / 2 + np.array(PALETTE[class_id]) / 2
        assert after[y, x] == pytest.approx(expected, abs=3)
    assert np.array_equal(after[:18], before[:18])


def test_the_edge_has_the_full_colour_on_all_four_sides() -> None:
    planes = grey(96, 128, BT709)
    Annotator(PALETTE, 0.3).draw(planes, Mask.of(two_boxes(96, 128)))
    shown = to_rgb(planes).astype(float)
    for y, x in [(20, 30), (59, 30), (40, 11), (40, 50)]:
        # Chroma is interpolated for looking at it, so the neighbour's is mixed in.
        assert shown[y, x] == pytest.approx(np.array(PALETTE[1]), abs=45), (y, x)


def test_background_is_left_as_it_is() -> None:
    planes = grey(96, 128, BT709)
    Annotator(PALETTE, 0.5).draw(planes, Mask.of(np.zeros((96, 128), np.uint8)))
    assert (planes.y == 100).all()
    assert (planes.u == 128).all()


def test_full_opacity_hides_the_picture() -> None:
    planes = grey(96, 128, BT709)
    planes.y[::2] = 200
    Annotator(PALETTE, 1.0).draw(planes, Mask.of(two_boxes(96, 128)))
    assert len(np.unique(planes.y[25:55, 16:45])) == 1
