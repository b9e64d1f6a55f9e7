"""Between frame and model: boxes, resizing there and back, thresholds."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from service.imaging import geometry
from service.imaging.geometry import U8, Box, InputSpec

SIDES = st.integers(1, 300)
EXTREME_SIDES = st.one_of(st.integers(1, 9), st.integers(1000, 20000))
RESIZES = st.sampled_from(["stretch", "letterbox"])
SPECS = st.builds(InputSpec, st.integers(16, 96), st.integers(16, 96), RESIZES)


@given(SPECS, st.one_of(SIDES, EXTREME_SIDES), st.one_of(SIDES, EXTREME_SIDES))
def test_the_box_lies_inside_the_input_and_touches_two_edges(spec: InputSpec, height: int, width: int) -> None:
    box = geometry.content_box(spec, height, width)
    assert box.height >= 1
    assert box.width >= 1
    assert 0 <= box.top <= spec.height - box.height
    assert 0 <= box.left <= spec.width - box.width
    assert box.height == spec.height or box.width == spec.width


@given(SPECS, SIDES, SIDES)
def test_a_letterbox_keeps_the_aspect_ratio_to_a_pixel(spec: InputSpec, height: int, width: int) -> None:
    box = geometry.content_box(InputSpec(spec.height, spec.width, "letterbox"), height, width)
    scale = min(spec.height / height, spec.width / width)
    assert abs(box.height - max(1, height * scale)) <= 0.5 + 1e-9
    assert abs(box.width - max(1, width * scale)) <= 0.5 + 1e-9


@given(SPECS, SIDES, SIDES)
def test_there_and_back_keeps_a_flat_frame(spec: InputSpec, height: int, width: int) -> None:
    frame = np.full((height, width, 3), (10, 200, 90), np.uint8)
    prepared = geometry.prepare(frame, spec)
    assert prepared.shape == (spec.height, spec.width, 3)
    assert prepared.dtype == np.uint8
    box = geometry.content_box(spec, height, width)
    content = prepared[box.top : box.top + box.height, box.left : box.left + box.width]
    assert (content == (10, 200, 90)).all()
    assert int(prepared.astype(bool).any(axis=2).sum()) == box.height * box.width
    restored = geometry.restore(np.ascontiguousarray(prepared.transpose(2, 0, 1)), spec, height, width)
    assert restored.shape == (3, height, width)
    assert (restored.transpose(1, 2, 0) == (10, 200, 90)).all()


@pytest.mark.parametrize("resize", ["stretch", "letterbox"])
@pytest.mark.parametrize("size", [(480, 854), (601, 333), (97, 1001)])
def test_a_shape_comes_back_where_it_was(resize: geometry.Resize, size: tuple[int, int]) -> None:
    spec = InputSpec(288, 512, resize)
    frame = np.zeros((*size, 3), np.uint8)
    frame[size[0] // 4 : size[0] // 2, size[1] // 3 : size[1] * 2 // 3] = 255
    prepared = geometry.prepare(frame, spec)[..., 0]
    labels = geometry.decide(geometry.restore(prepared[np.newaxis], spec, *size), 0.5)
    truth = frame[..., 0] > 0
    overlap = (labels.astype(bool) & truth).sum() / (labels.astype(bool) | truth).sum()
    assert overlap > 0.95


def test_a_frame_of_the_models_size_is_passed_through() -> None:
    frame = np.random.default_rng(0).integers(0, 256, (32, 48, 3), dtype=np.uint8)
    assert geometry.prepare(frame, InputSpec(32, 48)) is frame


def test_a_wide_frame_is_centred_between_black_bars() -> None:
    assert geometry.content_box(InputSpec(100, 100, "letterbox"), 50, 200) == Box(37, 0, 25, 100)


def test_shrinking_averages_what_it_drops() -> None:
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[::2] = 200
    assert (geometry.prepare(stripes, InputSpec(16, 16)) == 100).all()


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    "size", [(300, 300), (480, 854), (576, 720), (1080, 1920), (1081, 1921), (2160, 3840), (1200, 500), (700, 1440)]
)
def test_shrinking_averages_as_opencv_does(size: tuple[int, int], channels: int) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (*size, channels), dtype=np.uint8).squeeze()
    frame = cv2.GaussianBlur(noise, (0, 0), 2)
    expected = cv2.resize(frame, (288, 288), interpolation=cv2.INTER_AREA)
    difference = geometry.resize(frame, 288, 288).astype(int) - expected
    assert np.abs(difference).mean() < 1
    assert abs(difference.mean()) < 0.5, "each averaging rounds up by an eighth on the mean"


@pytest.mark.parametrize("size", [(900, 280), (901, 401)])
def test_what_shrinks_to_less_than_an_eighth_and_can_t_be_halved_is_averaged_whole(size: tuple[int, int]) -> None:
    frame = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    expected = cv2.resize(frame, (100, 100), interpolation=cv2.INTER_AREA)
    assert (geometry.resize(frame, 100, 100) == expected).all()


@pytest.mark.parametrize(
    ("threshold", "level"), [(0.0, 1), (1 / 255, 1), (0.5, 128), (100 / 255, 100), (0.999, 255), (1.0, 255)]
)
def test_the_level_is_the_smallest_probability_that_reaches_the_threshold(threshold: float, level: int) -> None:
    assert geometry.threshold_level(threshold) == level
    edge = np.array([[[level - 1, level]]], np.uint8)
    assert geometry.decide(edge, threshold).tolist() == [[0, 1]]


def test_at_threshold_zero_a_probability_of_zero_is_still_background() -> None:
    assert geometry.decide(np.array([[[0, 1]]], np.uint8), 0.0).tolist() == [[0, 1]]


def test_at_threshold_one_only_certainty_counts() -> None:
    assert geometry.decide(np.array([[[254, 255]]], np.uint8), 1.0).tolist() == [[0, 1]]


def test_below_the_threshold_even_the_best_class_is_background() -> None:
    probabilities = np.array([[[60, 60]], [[99, 128]], [[96, 67]]], np.uint8)
    assert geometry.decide(probabilities, 0.5).tolist() == [[0, 1]]


def test_a_tie_goes_to_the_lower_class() -> None:
    assert geometry.decide(np.array([[[100]], [[100]], [[55]]], np.uint8), 0.1).tolist() == [[0]]
    assert geometry.decide(np.array([[[10]], [[120]], [[120]]], np.uint8), 0.1).tolist() == [[1]]


@given(hnp.arrays(np.uint8, st.tuples(st.integers(2, 6), st.integers(1, 9), st.integers(1, 9))), st.floats(0, 1))
@settings(max_examples=40)
def test_several_classes_are_decided_as_argmax_would(probabilities: U8, threshold: float) -> None:
    expected = probabilities.argmax(axis=0)
    expected[probabilities.max(axis=0) < geometry.threshold_level(threshold)] = 0
    before = probabilities.copy()
    labels = geometry.decide(probabilities, threshold)
    assert labels.dtype == np.uint8
    assert (labels == expected).all()
    assert (probabilities == before).all()
