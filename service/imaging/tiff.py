"""The few tags of a TIFF that have to be known before a decoder sees it. EXIF blocks are small TIFFs, so they too."""

import struct
from collections.abc import Iterator

from service.errors import UndecodableFrame

IMAGE_WIDTH, IMAGE_LENGTH, ORIENTATION = 0x100, 0x101, 0x112
_POINTERS = {0x8769, 0x8825, 0xA005}
"""Tags that hold the place of a further directory (EXIF, GPS, interoperability), which Pillow follows."""
_BYTE_ORDERS = {b"II*\0": "<", b"MM\0*": ">"}
_TYPE_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_SHORT, _LONG = 3, 4
_MAX_ENTRIES = 4096


def read_size(body: bytes) -> tuple[int, int]:
    """Width and height as stored, of the first picture. Raises UndecodableFrame.

    Tags may point anywhere, and any number of them at the same bytes, so that a decoder that reads them all needs a
    thousand times the file's size in memory. A file whose tags claim more bytes than it has is refused.
    """
    try:
        order, first = _open(body)
        tags = dict(_numbers(body, order, first))
        if _claimed_bytes(body, order, first, depth=0) > 2 * len(body):
            raise UndecodableFrame("the TIFF is damaged: its tags claim more bytes than the file has")
        return tags[IMAGE_WIDTH], tags[IMAGE_LENGTH]
    except (struct.error, KeyError, ValueError) as error:
        raise UndecodableFrame("the TIFF is cut off or damaged: its first directory can't be read") from error


def read_orientation(exif: bytes) -> int:
    """EXIF orientation 1..8 of an EXIF block; 1 (upright) where it is missing or damaged."""
    try:
        order, first = _open(exif)
        found = dict(_numbers(exif, order, first)).get(ORIENTATION, 1)
    except (struct.error, ValueError):
        return 1
    return found if 1 <= found <= 8 else 1


def _open(body: bytes) -> tuple[str, int]:
    """Byte order for `struct`, and offset of the first directory."""
    order = _BYTE_ORDERS.get(body[:4])
    if order is None:
        raise ValueError("no TIFF signature")
    return order, struct.unpack_from(order + "I", body, 4)[0]


def _entries(body: bytes, order: str, offset: int) -> Iterator[tuple[int, int, int, bytes]]:
    """Tag, type, count and the four bytes of value or offset of each entry of one directory."""
    (count,) = struct.unpack_from(order + "H", body, offset)
    if count > _MAX_ENTRIES:
        raise ValueError("too many tags")
    for index in range(count):
        yield struct.unpack_from(order + "HHI4s", body, offset + 2 + 12 * index)


def _numbers(body: bytes, order: str, offset: int) -> Iterator[tuple[int, int]]:
    """Tags that hold one whole number, and that number."""
    for tag, kind, count, value in _entries(body, order, offset):
        if count == 1 and kind in {_SHORT, _LONG}:
            yield tag, struct.unpack_from(order + ("H" if kind == _SHORT else "I"), value)[0]


def _claimed_bytes(body: bytes, order: str, offset: int, depth: int) -> int:
    """Bytes that the values of a directory, and of those it points to, would take when all were read."""
    total = 0
    for tag, kind, count, value in _entries(body, order, offset):
        size = _TYPE_BYTES.get(kind, 1) * count
        total += size if size > 4 else 0
        if tag in _POINTERS and depth < 2:
            total += _claimed_bytes(body, order, struct.unpack(order + "I", value)[0], depth + 1)
    return total
