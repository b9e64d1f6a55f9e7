"""Class ids -> what callers read: an indexed PNG, COCO run lengths, polygons."""

import struct
import zlib

import cv2
import numpy as np
from pycocotools import mask as coco

from service.imaging.geometry import U8

_DEFLATE_LEVEL = 1
_FILTER_UP = 2
_INDEXED = 3


def encode_png(labels: U8, palette: list[tuple[int, int, int]]) -> bytes:
    """Class ids uint8 [H, W], all below len(palette) -> PNG whose pixel values are the class ids.

    Indexed (colour type 3), RGB palette, at the lowest of 1, 2, 4 or 8 bits that holds the classes: two classes are an
    eighth of the bytes to deflate.
    """
    depth = _bit_depth(len(palette))
    rows = _filter_up(_pack(labels, depth))
    height, width = labels.shape
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, depth, _INDEXED, 0, 0, 0)),
        (b"PLTE", bytes(value for colour in palette for value in colour)),
        (b"IDAT", zlib.compress(rows.data, _DEFLATE_LEVEL)),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, data) for name, data in chunks)


def encode_rle(labels: U8, class_ids: list[int]) -> dict[int, str]:
    """Class ids uint8 [H, W] -> COCO's compressed run lengths (the `counts` of pycocotools) of each class asked for."""
    columns = np.asarray(cv2.transpose(labels), np.uint8)
    return {class_id: _encode_columns(columns, class_id) for class_id in class_ids}


def find_polygons(labels: U8, class_id: int) -> list[list[tuple[int, int]]]:
    """Class ids uint8 [H, W] -> outlines of one class's eight-connected parts, each a list of x, y pixel centres.

    Outer outlines only: a hole in a part is inside its polygon. Filling the polygons, outline included, gives the class
    back with its holes filled. A part of one or two pixels is an outline of one or two points. For holes take the run
    lengths or the PNG.
    """
    selected = _select(labels, class_id)
    contours, _ = cv2.findContours(selected, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    return [[(int(x), int(y)) for x, y in contour.reshape(-1, 2).tolist()] for contour in contours]


def _bit_depth(class_count: int) -> int:
    return next(depth for depth in (1, 2, 4, 8) if class_count <= 1 << depth)


def _pack(labels: U8, depth: int) -> U8:
    """Class ids uint8 [H, W] -> PNG rows uint8 [H, ceil(W * depth / 8)], leftmost pixel in the high bits."""
    if depth == 8:
        return labels
    if depth == 1:
        return np.packbits(labels, axis=1)
    per_byte = 8 // depth
    missing = -labels.shape[1] % per_byte
    padded = np.pad(labels, ((0, 0), (0, missing))) if missing else labels
    packed = padded[:, 0::per_byte].copy()
    for offset in range(1, per_byte):
        np.left_shift(packed, depth, out=packed)
        np.bitwise_or(packed, padded[:, offset::per_byte], out=packed)
    return packed


def _filter_up(rows: U8) -> U8:
    """PNG's filter 2: each row minus the one above it. Masks change little from row to row, zeros deflate fast."""
    filtered = np.empty((rows.shape[0], rows.shape[1] + 1), np.uint8)
    filtered[:, 0] = _FILTER_UP
    filtered[0, 1:] = rows[0]
    np.subtract(rows[1:], rows[:-1], out=filtered[1:, 1:])
    return filtered


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(data, zlib.crc32(name)))


def _encode_columns(columns: U8, class_id: int) -> str:
    """Run lengths go down the columns; the transpose of C-ordered [1, W, H] is the Fortran-ordered [H, W, 1] wanted."""
    selected = _select(columns, class_id)
    counts: bytes = coco.encode(selected[np.newaxis].T)[0]["counts"]
    return counts.decode("ascii")


def _select(labels: U8, class_id: int) -> U8:
    """255 where the class is, else 0."""
    return np.asarray(cv2.inRange(labels, np.array(class_id), np.array(class_id)), np.uint8)
