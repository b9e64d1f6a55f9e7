"""NSD and HD95 against an oracle of SciPy's parts, after MONAI's definition, and the edges by name."""

from math import hypot

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import binary_erosion, distance_transform_edt

from training.metrics.surface import SurfaceScores, outline, surface_scores, tolerance_px

Mask = NDArray[np.uint8]
SHAPE = (40, 61)


def _oracle(predicted: Mask, truth: Mask, tolerance: float) -> tuple[float, float]:
    """As MONAI: outlines by erosion with a zero border, Euclidean distance transforms of the whole frame."""
    edges = [mask.astype(bool) & ~binary_erosion(mask.astype(bool)) for mask in (predicted, truth)]
    there = distance_transform_edt(~edges[1])[edges[0]]
    back = distance_transform_edt(~edges[0])[edges[1]]
    both = np.concatenate([there, back])
    return float((both <= tolerance).mean()), float(max(np.percentile(there, 95), np.percentile(back, 95)))


def _blob(seed: int) -> Mask:
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    mask = np.zeros(SHAPE, np.uint8)
    for _ in range(3):
        cy, cx, r = rng.integers(0, SHAPE[0]), rng.integers(0, SHAPE[1]), rng.integers(2, 14)
        mask[(y - cy) ** 2 + (x - cx) ** 2 <= r**2] = 1
    return mask


def _points(*places: tuple[int, int]) -> Mask:
    mask = np.zeros(SHAPE, np.uint8)
    for place in places:
        mask[place] = 1
    return mask


def _box(top: int, left: int, bottom: int, right: int) -> Mask:
    mask = np.zeros(SHAPE, np.uint8)
    mask[top:bottom, left:right] = 1
    return mask


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("tolerance", [0.0, 1.0, 2.0, 5.0])
def test_random_blobs_score_as_the_oracle_s(seed: int, tolerance: float) -> None:
    predicted, truth = _blob(seed), _blob(100 + seed)
    scores = surface_scores(predicted, truth, tolerance)
    nsd, hd95 = _oracle(predicted, truth, tolerance)
    assert scores.nsd == pytest.approx(nsd)
    assert scores.hd95_px == pytest.approx(hd95, rel=1e-5)


@pytest.mark.parametrize(
    ("predicted", "truth"),
    [
        (_points((5, 9)), _points((5, 12))),
        (_points((0, 0)), _points((39, 60))),
        (_box(0, 0, 10, 61), _box(0, 0, 14, 61)),
        (_box(0, 0, 40, 61), _box(10, 10, 30, 50)),
        (_box(30, 50, 40, 61), _points((39, 60))),
        ((np.random.default_rng(5).random(SHAPE) < 0.3).astype(np.uint8), _box(3, 3, 9, 50)),
    ],
    ids=["single pixels", "opposite corners", "along the border", "the whole frame", "in the corner", "noise"],
)
def test_the_edges_score_as_the_oracle_s(predicted: Mask, truth: Mask) -> None:
    scores = surface_scores(predicted, truth, 3.0)
    nsd, hd95 = _oracle(predicted, truth, 3.0)
    assert scores.nsd == pytest.approx(nsd)
    assert scores.hd95_px == pytest.approx(hd95, rel=1e-5)


def test_a_mask_in_neither_is_perfect() -> None:
    empty = np.zeros(SHAPE, np.uint8)
    assert surface_scores(empty, empty, 1.0) == SurfaceScores(1.0, 0.0)


@pytest.mark.parametrize("found", [True, False], ids=["false alarm", "missed"])
def test_a_mask_in_only_one_is_as_bad_as_can_be(found: bool) -> None:
    masks = [_box(2, 2, 9, 9), np.zeros(SHAPE, np.uint8)]
    predicted, truth = masks if found else masks[::-1]
    assert surface_scores(predicted, truth, 1.0) == SurfaceScores(0.0, hypot(*SHAPE))


def test_a_shift_within_the_tolerance_is_no_fault() -> None:
    scores = surface_scores(_box(5, 5, 20, 30), _box(5, 9, 20, 34), 4.0)
    assert scores.nsd == 1.0
    assert scores.hd95_px == pytest.approx(4.0)
    assert surface_scores(_box(5, 5, 20, 30), _box(5, 9, 20, 34), 3.9).nsd < 1.0


def test_the_frame_s_border_is_outline() -> None:
    edge = outline(np.ones((4, 5), np.uint8))
    np.testing.assert_array_equal(edge, [[1, 1, 1, 1, 1], [1, 0, 0, 0, 1], [1, 0, 0, 0, 1], [1, 1, 1, 1, 1]])


def test_the_tolerance_grows_with_the_frame_and_is_at_least_a_pixel() -> None:
    assert tolerance_px(480, 640) == pytest.approx(8.0)
    assert tolerance_px(30, 40) == 1.0


def test_masks_of_different_size_have_no_distance() -> None:
    with pytest.raises(ValueError, match=r"prediction is \(2, 2\), truth \(2, 3\)"):
        surface_scores(np.zeros((2, 2), np.uint8), np.zeros((2, 3), np.uint8), 1.0)
