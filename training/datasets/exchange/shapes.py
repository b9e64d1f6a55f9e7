"""Shapes of annotation tools <-> masks. Polygons are filled as COCO's own code fills them (pycocotools)."""

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco

from training.errors import DatasetError

U8 = NDArray[np.uint8]
Point = tuple[float, float]

Boxes = Literal["refuse", "fill", "skip"]
"""What a box means where a mask is wanted: an error, a filled rectangle, or nothing."""

_ELLIPSE_POINTS = 72


def paint(height: int, width: int, shapes: Iterable[tuple[int, U8]]) -> U8:
    """(class id, 0/1 mask [H, W]) one over the other, the last on top -> class ids uint8 [H, W]."""
    labels = np.zeros((height, width), np.uint8)
    for class_id, shape in shapes:
        labels[shape > 0] = class_id
    return labels


def fill_polygons(polygons: Sequence[Sequence[Point]], height: int, width: int, origin: str) -> U8:
    """Polygons of x, y in pixels (the union of all) -> 0/1 uint8 [H, W]."""
    short = [polygon for polygon in polygons if len(polygon) < 3]
    if short or not polygons:
        raise DatasetError(f"{origin} has a polygon of {len(short[0]) if short else 0} points; it takes three")
    flat = [[float(value) for point in polygon for value in point] for polygon in polygons]
    if not all(math.isfinite(value) for polygon in flat for value in polygon):
        raise DatasetError(f"{origin} has a polygon with a coordinate that is no number")
    return np.asarray(coco.decode(coco.merge(coco.frPyObjects(flat, height, width))), np.uint8)


def decode_coco_rle(rle: dict[str, Any], height: int, width: int, origin: str) -> U8:
    """COCO's run lengths, compressed (text) or not (numbers) -> 0/1 uint8 [H, W]."""
    size, counts = rle.get("size"), rle.get("counts")
    if list(size or []) != [height, width]:
        raise DatasetError(f"{origin} has run lengths of size {size}; its picture is {[height, width]} (height, width)")
    if not isinstance(counts, list | str):
        raise DatasetError(f"{origin} has no run lengths in 'counts'")
    runs = counts if isinstance(counts, list) else _unpack(counts)
    if sum(runs) != height * width or min(runs) < 0:
        raise DatasetError(f"{origin} has run lengths of {sum(runs)} pixels; its picture has {height * width}")
    uncompressed = {"size": size, "counts": runs}
    return np.asarray(coco.decode(coco.frPyObjects(uncompressed, height, width)), np.uint8)


def box_corners(left: float, top: float, right: float, bottom: float, degrees: float = 0.0) -> list[Point]:
    """Corners of a box that is turned clockwise around its centre."""
    centre_x, centre_y = (left + right) / 2, (top + bottom) / 2
    corners = [(left, top), (right, top), (right, bottom), (left, bottom)]
    return [_turn(x, y, centre_x, centre_y, degrees) for x, y in corners]


def corner_box(left: float, top: float, width: float, height: float, degrees: float) -> list[Point]:
    """Corners of a box that is turned clockwise around its upper left one, as Label Studio turns it."""
    corners = [(left, top), (left + width, top), (left + width, top + height), (left, top + height)]
    return [_turn(x, y, left, top, degrees) for x, y in corners]


def ellipse_points(x: float, y: float, radius_x: float, radius_y: float, degrees: float = 0.0) -> list[Point]:
    """The outline of an ellipse around x, y that is turned clockwise, as a polygon."""
    angles = [2 * math.pi * i / _ELLIPSE_POINTS for i in range(_ELLIPSE_POINTS)]
    return [_turn(x + radius_x * math.cos(a), y + radius_y * math.sin(a), x, y, degrees) for a in angles]


def components(labels: U8, class_id: int) -> Iterator[tuple[U8, tuple[int, int, int, int]]]:
    """Eight-connected parts of a class: 0/1 uint8 [h, w] of the part's box, and the box (left, top, width, height)."""
    count, parts, boxes, _ = cv2.connectedComponentsWithStats((labels == class_id).astype(np.uint8), connectivity=8)
    for part in range(1, count):
        left, top, width, height = (int(value) for value in boxes[part, :4])
        yield np.asarray(parts[top : top + height, left : left + width] == part, np.uint8), (left, top, width, height)


def _unpack(text: str) -> list[int]:
    """COCO's compressed run lengths as numbers: pycocotools decodes damaged ones without a word.

    Five bits a letter, the lowest first, with a sign; from the fourth run on, the difference to the one before the last
    (rleFrString in maskApi.c).
    """
    runs: list[int] = []
    value = shift = 0
    for letter in text:
        bits = ord(letter) - 48
        value |= (bits & 0x1F) << shift
        shift += 5
        if bits & 0x20:
            continue
        if bits & 0x10:
            value |= -1 << shift
        runs.append(value + runs[-2] if len(runs) > 2 else value)
        value = shift = 0
    return runs or [0]


def _turn(x: float, y: float, centre_x: float, centre_y: float, degrees: float) -> Point:
    """In pictures y points down, so that a positive angle turns clockwise."""
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return (
        centre_x + (x - centre_x) * cos - (y - centre_y) * sin,
        centre_y + (x - centre_x) * sin + (y - centre_y) * cos,
    )
