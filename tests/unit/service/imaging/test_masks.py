"""Masks as PNG, run lengths and polygons, read back by other libraries."""

import io

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image
from pycocotools import mask as coco
from scipy import ndimage

from service.imaging import masks
from service.imaging.geometry import U8

EIGHT_CONNECTED = np.ones((3, 3))
SHAPES = hnp.array_shapes(min_dims=2, max_dims=2, max_side=24)
TWO_CLASSES = hnp.arrays(np.uint8, SHAPES, elements=st.integers(0, 1))


def palette_of(count: int) -> list[tuple[int, int, int]]:
    return [(index, 255 - index, index * 7 % 256) for index in range(count)]


@pytest.mark.parametrize(("classes", "depth"), [(2, 1), (3, 2), (4, 2), (5, 4), (16, 4), (17, 8), (256, 8)])
def test_a_mask_takes_the_lowest_depth_that_holds_its_classes(classes: int, depth: int) -> None:
    png = masks.encode_png(np.zeros((3, 5), np.uint8), palette_of(classes))
    assert png[24] == depth
    assert png[25] == 3


@pytest.mark.parametrize("classes", [2, 3, 4, 5, 16, 17, 256])
@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (7, 13), (32, 64)])
def test_pillow_reads_class_ids_and_palette_back(classes: int, shape: tuple[int, int]) -> None:
    labels = np.random.default_rng(classes).integers(0, classes, shape, dtype=np.uint8)
    palette = palette_of(classes)
    image = Image.open(io.BytesIO(masks.encode_png(labels, palette)))
    assert image.mode == "P"
    assert (np.asarray(image) == labels).all()
    assert image.getpalette()[: 3 * classes] == [value for colour in palette for value in colour]


def test_opencv_shows_the_classes_in_their_colours() -> None:
    labels = np.arange(6, dtype=np.uint8).reshape(2, 3)
    shown = cv2.imdecode(np.frombuffer(masks.encode_png(labels, palette_of(6)), np.uint8), cv2.IMREAD_COLOR_RGB)
    assert (shown == np.array(palette_of(6), np.uint8)[labels]).all()


def test_labels_that_are_a_view_are_encoded_as_seen() -> None:
    labels = np.arange(24, dtype=np.uint8).reshape(4, 6)[::-1, ::2]
    assert (np.asarray(Image.open(io.BytesIO(masks.encode_png(labels, palette_of(24))))) == labels).all()
    assert (decode_rle(masks.encode_rle(labels, [22])[22], (4, 3)) == (labels == 22)).all()


@given(hnp.arrays(np.uint8, SHAPES, elements=st.integers(0, 3)))
@settings(max_examples=40)
def test_run_lengths_are_those_of_pycocotools(labels: U8) -> None:
    for class_id, counts in masks.encode_rle(labels, [1, 2, 3]).items():
        selected = labels == class_id
        assert counts == coco.encode(np.asfortranarray(selected.astype(np.uint8)))["counts"].decode()
        assert (decode_rle(counts, labels.shape) == selected).all()


@pytest.mark.parametrize("seed", range(4))
def test_run_lengths_of_whole_frames_are_those_of_pycocotools(seed: int) -> None:
    noise = np.random.default_rng(seed).random((480, 854)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 1 + 4 * seed)
    labels = np.digitize(smooth, np.quantile(smooth, [0.3, 0.6, 0.9])).astype(np.uint8)
    for class_id, counts in masks.encode_rle(labels, [0, 1, 2, 3]).items():
        selected = np.asfortranarray((labels == class_id).astype(np.uint8))
        assert counts == coco.encode(selected)["counts"].decode()


def test_a_frame_full_of_a_class_begins_with_an_empty_run() -> None:
    full = np.ones((4, 6), np.uint8)
    assert masks.encode_rle(full, [1])[1] == coco.encode(np.asfortranarray(full))["counts"].decode()


def test_a_class_that_is_absent_has_one_run() -> None:
    assert not decode_rle(masks.encode_rle(np.zeros((4, 6), np.uint8), [1])[1], (4, 6)).any()


@given(TWO_CLASSES)
@settings(max_examples=40)
def test_filled_polygons_give_the_class_with_its_holes_filled(labels: U8) -> None:
    drawn = np.zeros_like(labels)
    for polygon in masks.find_polygons(labels, 1):
        cv2.fillPoly(drawn, [np.array(polygon, np.int32)], 1)
    background = np.pad(labels == 0, 1, constant_values=True)
    outside = ndimage.label(background)[0] == ndimage.label(background)[0][0, 0]
    assert (drawn.astype(bool) == ~outside[1:-1, 1:-1]).all()


def test_each_part_is_one_polygon() -> None:
    labels = np.zeros((20, 30), np.uint8)
    labels[2:8, 3:9] = labels[10:15, 20:27] = 2
    labels[4:6, 5:7] = 0
    polygons = masks.find_polygons(labels, 2)
    assert sorted(sorted(polygon) for polygon in polygons) == [
        [(3, 2), (3, 7), (8, 2), (8, 7)],
        [(20, 10), (20, 14), (26, 10), (26, 14)],
    ]
    assert masks.find_polygons(labels, 1) == []


def decode_rle(counts: str, shape: tuple[int, ...]) -> U8:
    return coco.decode({"counts": counts.encode(), "size": list(shape)})
