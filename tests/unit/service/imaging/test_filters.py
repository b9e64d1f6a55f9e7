"""Filters against SciPy, scikit-image and the published formula of histogram equalisation."""

import numpy as np
import pytest
from scipy import ndimage
from skimage import data

from service.imaging.geometry import U8, InputSpec, apply_filters, prepare


def _scene(height: int = 96, width: int = 128) -> U8:
    """A dull photograph: all values between 60 and 140."""
    photo = data.astronaut()[: height * 3 : 3, : width * 3 : 3].astype(np.float64)
    return (60 + photo * 80 / 255).astype(np.uint8)


def _equalised(plane: U8) -> U8:
    """Gonzalez and Woods: each value becomes the share of the pixels up to it, stretched from the lowest to 255."""
    counts = np.bincount(plane.ravel(), minlength=256)
    cumulative = counts.cumsum()
    first = cumulative[cumulative > 0][0]
    return np.asarray(np.rint((cumulative - first) / (plane.size - first) * 255)[plane], np.uint8)


def test_equalise_follows_the_formula_on_a_grey_picture() -> None:
    grey = np.repeat(_scene()[..., :1], 3, axis=2)
    found = apply_filters(grey, ("equalise",))
    assert np.abs(found[..., 0].astype(int) - _equalised(grey[..., 0])).max() <= 1
    assert (found == found[..., :1]).all()


def test_equalise_spreads_the_luma_and_keeps_the_colour_difference() -> None:
    scene = _scene()
    found = apply_filters(scene, ("equalise",))
    weights = np.array([0.299, 0.587, 0.114])
    before, after = scene @ weights, found @ weights
    inside = ((found > 0) & (found < 255)).all(axis=2)  # where no channel was cut off
    assert inside.mean() > 0.7
    assert np.abs(after - _equalised(np.rint(before).astype(np.uint8)))[inside].max() <= 3
    for channel in (0, 2):
        moved = (found[..., channel] - after) - (scene[..., channel] - before)
        assert np.abs(moved[inside]).max() <= 3
    assert np.percentile(after, 99) - np.percentile(after, 1) > 200 > 90 > before.max() - before.min()


def test_smooth_is_the_binomial_kernel_mirrored_at_the_border() -> None:
    scene = np.random.default_rng(5).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    kernel = np.outer([1, 2, 1], [1, 2, 1])[..., None] / 16
    expected = ndimage.convolve(scene.astype(np.float64), kernel, mode="mirror")
    assert np.abs(apply_filters(scene, ("smooth",)) - expected).max() <= 0.5 + 1e-9


def test_filters_are_applied_in_their_order() -> None:
    scene = _scene()
    step = apply_filters(apply_filters(scene, ("smooth",)), ("equalise",))
    assert (apply_filters(scene, ("smooth", "equalise")) == step).all()
    assert (apply_filters(scene, ("equalise", "smooth")) != step).any()
    assert apply_filters(scene, ()) is scene


@pytest.mark.parametrize("filters", [("equalise",), ("smooth",), ("equalise", "smooth")])
def test_bars_are_neither_counted_nor_blurred(filters: tuple[str, ...]) -> None:
    scene = _scene(96, 128)
    prepared = prepare(scene, InputSpec(128, 128, "letterbox", filters))  # type: ignore[arg-type]
    assert (prepared[:16] == 0).all()
    assert (prepared[112:] == 0).all()
    assert (prepared[16:112] == prepare(scene, InputSpec(96, 128, "stretch", filters))).all()  # type: ignore[arg-type]


def test_the_given_frame_is_left_as_it_was() -> None:
    scene = _scene()
    kept = scene.copy()
    prepare(scene, InputSpec(96, 128, "stretch", ("equalise", "smooth")))
    assert (scene == kept).all()
