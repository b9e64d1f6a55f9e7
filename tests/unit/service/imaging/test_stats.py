"""Numbers of a mask, compared with scikit-image and with NumPy."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.measure import label, regionprops

from service.imaging import stats
from service.imaging.geometry import U8, decide


def parts_by_skimage(labels: U8, class_id: int) -> list[tuple[tuple[int, int, int, int], int, tuple[float, float]]]:
    smallest = max(1, int(stats.MIN_INSTANCE_SHARE * labels.size))
    return [
        ((left, top, right - left, bottom - top), int(part.num_pixels), (part.centroid[1], part.centroid[0]))
        for part in regionprops(label(labels == class_id, connectivity=2))
        for top, left, bottom, right in [part.bbox]
        if part.num_pixels >= smallest
    ]


def assert_same_parts(labels: U8, class_id: int) -> None:
    found = stats.find_instances(labels, class_id)
    expected = parts_by_skimage(labels, class_id)
    assert [part.pixels for part in found] == sorted((pixels for _, pixels, _ in expected), reverse=True)
    unmatched = [(part.bbox, part.pixels, part.centroid) for part in found]
    for bbox, pixels, centroid in expected:
        match = next(
            part
            for part in unmatched
            if part[:2] == (bbox, pixels) and np.abs(np.subtract(part[2], centroid)).max() <= 0.051
        )
        unmatched.remove(match)
    assert unmatched == []


@given(st.integers(0, 2**32 - 1), st.integers(1, 60), st.integers(1, 60), st.sampled_from([0.1, 0.6, 1.0, 2.0, 4.0]))
@settings(max_examples=60)
def test_instances_are_those_of_scikit_image(seed: int, height: int, width: int, blur: float) -> None:
    noise = cv2.GaussianBlur(np.random.default_rng(seed).random((height, width)), (0, 0), blur)
    assert_same_parts((noise > 0.5).astype(np.uint8) * 3, 3)


def test_a_part_in_the_hole_of_another_is_counted_apart() -> None:
    labels = np.zeros((90, 90), np.uint8)
    for inset, value in ((5, 1), (15, 0), (25, 1), (35, 0), (40, 1)):
        labels[inset:-inset, inset:-inset] = value
    assert_same_parts(labels, 1)
    assert len(stats.find_instances(labels, 1)) == 3


def test_hundreds_of_parts_are_all_counted() -> None:
    labels = np.zeros((100, 100), np.uint8)
    for y in range(0, 100, 5):
        for x in range(0, 100, 5):
            labels[y : y + 3, x : x + 3] = 1
    assert len(stats.find_instances(labels, 1)) == 400
    assert_same_parts(labels, 1)


def test_specks_are_no_instances_and_the_largest_comes_first() -> None:
    labels = np.zeros((200, 200), np.uint8)
    labels[5:8, 5:9] = 1  # 12 pixels, the limit is 20
    labels[50:55, 50:54] = 1  # 20 pixels
    labels[100:150, 100:150] = 1
    assert [part.pixels for part in stats.find_instances(labels, 1)] == [2500, 20]


def test_a_class_that_is_absent_has_no_instance() -> None:
    assert stats.find_instances(np.zeros((9, 9), np.uint8), 1) == ()


@pytest.mark.parametrize("channels", [1, 3, 5])
def test_pixels_coverage_and_confidence_are_what_numpy_counts(channels: int) -> None:
    probabilities = np.random.default_rng(channels).integers(0, 256, (channels, 40, 53), dtype=np.uint8)
    labels = decide(probabilities, 0.3)
    measured = stats.measure(labels, probabilities)
    given_to = probabilities if channels > 1 else np.concatenate([255 - probabilities, probabilities])
    chosen = np.take_along_axis(given_to, labels[np.newaxis].astype(int), axis=0)[0] / 255
    assert measured.coverage == pytest.approx((labels > 0).mean())
    assert measured.confidence == pytest.approx(chosen.mean())
    for entry in measured.classes:
        selected = labels == entry.id
        assert entry.pixels == selected.sum()
        assert entry.coverage == pytest.approx(selected.mean())
        assert entry.confidence == pytest.approx(chosen[selected].mean())
    assert [entry.id for entry in measured.classes] == list(range(1, max(2, channels)))


def test_a_frame_without_the_class_has_no_confidence_in_it() -> None:
    measured = stats.measure(np.zeros((8, 8), np.uint8), np.full((1, 8, 8), 51, np.uint8))
    assert measured.coverage == 0
    assert measured.confidence == pytest.approx(0.8)
    assert measured.classes == (stats.ClassStats(id=1, pixels=0, coverage=0.0, confidence=None, instances=()),)


def test_a_frame_full_of_the_class_has_coverage_one() -> None:
    measured = stats.measure(np.ones((8, 8), np.uint8), np.full((1, 8, 8), 255, np.uint8))
    assert (measured.coverage, measured.confidence) == (1.0, 1.0)
    assert measured.classes[0].instances == (stats.Instance((0, 0, 8, 8), 64, (3.5, 3.5)),)


def test_instances_can_be_left_out() -> None:
    labels = np.ones((8, 8), np.uint8)
    assert stats.measure(labels, np.full((1, 8, 8), 255, np.uint8), instances=False).classes[0].instances == ()


def test_blur_lowers_sharpness() -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (60, 60, 3), dtype=np.uint8)
    assert stats.sharpness(cv2.GaussianBlur(rgb, (0, 0), 2)) < stats.sharpness(rgb) / 10
    assert stats.sharpness(np.full((9, 9, 3), 77, np.uint8)) == 0


def test_brightness_is_a_share_of_white() -> None:
    assert stats.brightness(np.full((4, 4, 3), (0, 51, 102), np.uint8)) == pytest.approx(0.2)
