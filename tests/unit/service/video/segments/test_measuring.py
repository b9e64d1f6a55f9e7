"""Looking only where a mask is changes no number."""

from itertools import pairwise

import cv2
import numpy as np
import pytest

from service.imaging.geometry import U8, InputSpec, decide, restore
from service.imaging.stats import measure
from service.video.over_time.analysis import temporal_iou
from service.video.rows import row_of
from service.video.segments.measuring import Mask, Measurer

SIZE = (101, 133)
SPEC = InputSpec(32, 48)


def labels_with(*boxes: tuple[int, int, int, int]) -> U8:
    """Class ids uint8 [101, 133]: 1 in the first box (top, bottom, left, right), 2 in the second."""
    labels = np.zeros(SIZE, np.uint8)
    for class_id, (top, bottom, left, right) in enumerate(boxes, start=1):
        labels[top:bottom, left:right] = class_id
    return labels


CASES = {
    "none": labels_with(),
    "corner": labels_with((0, 1, 0, 1)),
    "far corner": labels_with((100, 101, 132, 133)),
    "middle": labels_with((30, 71, 20, 60)),
    "beside": labels_with((30, 71, 61, 90)),
    "two": labels_with((10, 40, 10, 50), (35, 90, 40, 120)),
    "all": labels_with((0, 101, 0, 133)),
}


@pytest.mark.parametrize("first", CASES)
@pytest.mark.parametrize("second", CASES)
def test_the_overlap_is_that_of_the_whole_masks(first: str, second: str) -> None:
    expected = temporal_iou(CASES[first], CASES[second])
    assert Mask.of(CASES[first]).overlap(Mask.of(CASES[second])) == expected


@pytest.mark.parametrize("name", CASES)
def test_outside_its_box_a_mask_shows_nothing(name: str) -> None:
    mask = Mask.of(CASES[name])
    rest = CASES[name].copy()
    rest[mask.top : mask.bottom, mask.left : mask.right] = 0
    assert not rest.any()
    assert mask.is_empty == (not CASES[name].any())


@pytest.mark.parametrize("channels", [1, 3])
def test_rows_are_those_of_the_whole_frames(channels: int) -> None:
    noise = np.random.default_rng(5).integers(0, 256, (4, 32, 48, channels), np.uint8)
    frames = [cv2.GaussianBlur(frame, (0, 0), 3).reshape(32, 48, channels).transpose(2, 0, 1) for frame in noise]
    frames = [np.clip(frame.astype(int) * 3 - 250, 0, 255).astype(np.uint8) for frame in frames]
    measurer = Measurer(SPEC, 0.5)
    found = [measurer.measure(number, number / 25, frame, SIZE) for number, frame in enumerate(frames)]
    whole = [restore(frame, SPEC, *SIZE) for frame in frames]
    masks = [decide(entry, 0.5) for entry in whole]
    overlaps = [None, *(temporal_iou(*pair) for pair in pairwise(masks))]
    for number, (row, mask) in enumerate(found):
        assert np.array_equal(mask.labels, masks[number])
        assert row == row_of(number, number / 25, measure(masks[number], whole[number]), overlaps[number])
    assert any(row.coverage not in (0, 1) for row, _ in found)
