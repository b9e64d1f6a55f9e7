"""Class ids -> what callers read: an indexed PNG, COCO run lengths, polygons."""

import struct

import cv2
import numpy as np
import numpy.typing as npt
from pycocotools import mask as coco
from zlib_ng import zlib_ng

from service.imaging.geometry import U8, select

_INDEXED = 3
_NO_FILTER = 0
_WINDOW_BITS, _MEMORY_LEVEL = 15, 9
_PACKING = {2: ("<u4", 0x40100401, 24), 4: ("<u2", 0x1001, 8)}
"""By bit depth: the word of a byte's pixels, the factor that brings them together, and the bit where they then lie."""


def encode_png(labels: U8, palette: list[tuple[int, int, int]]) -> bytes:
    """Class ids uint8 [H, W], all below len(palette) -> PNG whose pixel values are the class ids.

    Indexed (colour type 3), RGB palette, at the lowest of 1, 2, 4 or 8 bits that holds the classes: two classes are an
    eighth of the bytes to deflate. Packed masks are runs of equal bytes: unfiltered they deflate smaller than with
    PNG's filters, and looking for runs alone finds what there is.
    """
    depth = _bit_depth(len(palette))
    height, width = labels.shape
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, depth, _INDEXED, 0, 0, 0)),
        (b"PLTE", bytes(value for colour in palette for value in colour)),
        (b"IDAT", _deflate(_pack_rows(labels, depth))),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, data) for name, data in chunks)


def encode_rle(labels: U8, class_ids: list[int]) -> dict[int, str]:
    """Class ids uint8 [H, W] -> COCO's compressed run lengths (the `counts` of pycocotools) of each class asked for."""
    columns = np.asarray(cv2.transpose(labels), np.uint8).ravel()  # COCO's runs go down the columns
    edges = np.concatenate(([0], np.flatnonzero(columns[1:] != columns[:-1]) + 1, [columns.size]))
    ids = columns[edges[:-1]]
    return {class_id: _compress_runs(edges, ids == class_id, labels.shape) for class_id in class_ids}


def find_polygons(labels: U8, class_id: int) -> list[list[tuple[int, int]]]:
    """Class ids uint8 [H, W] -> outlines of one class's eight-connected parts, each a list of x, y pixel centres.

    Outer outlines only: a hole in a part is inside its polygon. Filling the polygons, outline included, gives the class
    back with its holes filled. A part of one or two pixels is an outline of one or two points. For holes take the run
    lengths or the PNG.
    """
    selected = select(labels, class_id)
    contours, _ = cv2.findContours(selected, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    return [[(int(x), int(y)) for x, y in contour.reshape(-1, 2).tolist()] for contour in contours]


def _bit_depth(class_count: int) -> int:
    return next(depth for depth in (1, 2, 4, 8) if class_count <= 1 << depth)


def _pack_rows(labels: U8, depth: int) -> U8:
    """Class ids uint8 [H, W] -> PNG rows uint8 [H, 1 + ceil(W * depth / 8)]: the filter, then pixels from high bits."""
    height, width = labels.shape
    rows = np.empty((height, 1 + -(-width * depth // 8)), np.uint8)
    rows[:, 0] = _NO_FILTER
    rows[:, 1:] = labels if depth == 8 else np.packbits(labels, axis=1) if depth == 1 else _pack_words(labels, depth)
    return rows


def _pack_words(labels: U8, depth: int) -> U8:
    """All pixels of a byte at once: a product is the sum of them shifted, each to its place in the word's top byte."""
    word, factor, top = _PACKING[depth]
    missing = -labels.shape[1] % (8 // depth)
    whole = np.pad(labels, ((0, 0), (0, missing))) if missing else np.ascontiguousarray(labels)
    moved = whole.view(word) * np.array(factor, word)
    return np.asarray(moved >> np.array(top, word), np.uint8)


def _deflate(rows: U8) -> bytes:
    packer = zlib_ng.compressobj(1, zlib_ng.DEFLATED, _WINDOW_BITS, _MEMORY_LEVEL, zlib_ng.Z_RLE)
    return packer.compress(rows.data) + packer.flush()


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib_ng.crc32(data, zlib_ng.crc32(name)))


def _compress_runs(edges: npt.NDArray[np.int64], is_class: npt.NDArray[np.bool_], size: tuple[int, ...]) -> str:
    """Edges of all runs int64 [N + 1], and which of the N are the class's -> its runs as COCO writes them.

    The first run is of what is not the class, empty where the class comes first; no empty run ends them.
    """
    inside = np.empty(2 * np.count_nonzero(is_class) + 2, edges.dtype)
    inside[0], inside[-1] = 0, edges[-1]
    inside[1:-1:2], inside[2:-1:2] = edges[:-1][is_class], edges[1:][is_class]
    lengths = inside[1:] - inside[:-1]
    if lengths[-1] == 0:
        lengths = lengths[:-1]
    run_lengths: bytes = coco.frPyObjects({"counts": lengths, "size": size}, *size)["counts"]
    return run_lengths.decode("ascii")
