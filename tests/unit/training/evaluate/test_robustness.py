"""Corruptions: deterministic, harder with the severity, and true to what each of them says."""

import cv2
import numpy as np
import pytest

from service.imaging.geometry import U8
from training.evaluate.robustness import CORRUPTIONS, SEVERITIES, corrupt


def _scene(height: int = 96, width: int = 120) -> U8:
    """Soft colour with an edge, in a circular view with a black surround."""
    rng = np.random.default_rng(4)
    coarse = rng.integers(60, 200, (6, 8, 3), dtype=np.uint8)
    image = np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)
    image[40:50, 30:90] = 230
    y, x = np.mgrid[:height, :width]
    image[(y - height / 2) ** 2 + (x - width / 2) ** 2 > (0.48 * height) ** 2] = 0
    return image


def _distance(a: U8, b: U8) -> float:
    return float(np.abs(a.astype(float) - b).mean())


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_a_corruption_changes_a_copy_and_grows_with_the_severity(name: str) -> None:
    image = _scene()
    before = image.copy()
    worse = [corrupt(image, name, severity) for severity in SEVERITIES]
    np.testing.assert_array_equal(image, before)
    assert all(w.shape == image.shape and w.dtype == np.uint8 for w in worse)
    distances = [_distance(image, w) for w in worse]
    assert 0 < distances[0] < distances[1] < distances[2]


@pytest.mark.parametrize("name", sorted(set(CORRUPTIONS) - {"JPEG", "defocus blur"}))
def test_seed_and_frame_decide_what_is_drawn(name: str) -> None:
    image = _scene()
    first = corrupt(image, name, 2, seed=1, frame_id="a")
    np.testing.assert_array_equal(first, corrupt(image, name, 2, seed=1, frame_id="a"))
    assert not np.array_equal(first, corrupt(image, name, 2, seed=2, frame_id="a"))
    assert not np.array_equal(first, corrupt(image, name, 2, seed=1, frame_id="b"))


@pytest.mark.parametrize("name", ["smoke", "specular highlights"])
def test_no_light_falls_on_the_black_surround(name: str) -> None:
    assert corrupt(_scene(), name, 3)[:6, :6].max() == 0


def test_motion_leaves_a_thing_where_it_was() -> None:
    image = np.zeros((101, 131, 3), np.uint8)
    image[45:56, 60:71] = 255
    blurred = corrupt(image, "motion blur", 3)[..., 0].astype(float)
    y, x = np.mgrid[:101, :131]
    centre = (blurred * y).sum() / blurred.sum(), (blurred * x).sum() / blurred.sum()
    assert centre == pytest.approx((50, 65), abs=0.6)
    assert blurred.sum() == pytest.approx(255 * 121, rel=0.02)


def test_low_light_halves_the_linear_light_with_every_stop() -> None:
    grey = np.full((64, 64, 3), 200, np.uint8)
    linear = ((corrupt(grey, "low light", 2) / 255.0) ** 2.2).mean()
    assert linear == pytest.approx((200 / 255) ** 2.2 * 0.5**2.5, rel=0.03)


def test_noise_has_the_deviation_of_the_recipe() -> None:
    noisy = corrupt(np.full((80, 80, 3), 128, np.uint8), "sensor noise", 1)
    assert float(noisy.astype(float).std()) == pytest.approx(0.08 * 255, rel=0.03)


def test_jpeg_is_what_the_codec_makes_at_the_recipe_s_quality() -> None:
    image = _scene()
    encoded = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 15])[1]
    expected = np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR))[..., ::-1]
    np.testing.assert_array_equal(corrupt(image, "JPEG", 2), expected)


@pytest.mark.parametrize(("name", "severity"), [("rain", 1), ("smoke", 4)])
def test_what_is_no_corruption_is_refused(name: str, severity: int) -> None:
    with pytest.raises(ValueError, match=f"no corruption '{name}' of severity {severity}"):
        corrupt(_scene(), name, severity)
