"""What a frame's header says, read from the bytes before any pixel is decoded. Walks are bounded; no data is copied."""

import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from service.errors import UndecodableFrame
from service.imaging import tiff

_MAX_PARTS = 10_000
"""Segments or chunks in one file; real ones have tens."""
_MAX_SCANS = 100
"""A progressive JPEG has about ten scans; a few bytes each, thousands of them would keep a core busy for hours."""
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_BMP_HEADERS = {12, 16, 40, 52, 56, 64, 108, 124}
_SOF_MARKERS = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_PROGRESSIVE_MARKERS = {0xC2, 0xC6, 0xCA, 0xCE}
_SOS, _EOI, _APP1 = 0xDA, 0xD9, 0xE1


@dataclass(frozen=True, slots=True)
class Header:
    """Size in pixels as stored, and the EXIF orientation 1..8 that turns it upright (1 where the decoder does it)."""

    width: int
    height: int
    orientation: int = 1
    components: int = 3
    """Colour components of a JPEG: 1 grey, 3 colour, 4 CMYK."""


def find_format(body: bytes) -> str | None:
    """`jpeg`, `png`, `webp`, `bmp` or `tiff` by the signature of the bytes, None for anything else."""
    if body.startswith(b"\xff\xd8"):
        return "jpeg"
    if body.startswith(b"\x89PNG"):
        return "png"
    if body[:4] == b"RIFF" and body[8:12] == b"WEBP":
        return "webp"
    if body[:4] in {b"II*\0", b"MM\0*"}:
        return "tiff"
    if body[:2] == b"BM" and len(body) >= 18 and struct.unpack_from("<I", body, 14)[0] in _BMP_HEADERS:
        return "bmp"
    return None


def read_header(kind: str, body: bytes) -> Header:
    """Raises UndecodableFrame when the header is cut off, damaged, or says that there are no pixels."""
    try:
        header = _READERS[kind](body)
    except (struct.error, IndexError) as error:
        raise UndecodableFrame(f"the {kind.upper()} is cut off inside its header") from error
    if header.width < 1 or header.height < 1:
        raise UndecodableFrame(f"the {kind.upper()} says that it is {header.width}x{header.height} pixels")
    return header


def _read_jpeg(body: bytes) -> Header:
    width = height = components = 0
    orientation, progressive = 1, False
    for marker, start, end in _jpeg_segments(body):
        if marker in _SOF_MARKERS:
            height, width, components = struct.unpack_from(">HHB", body, start + 1)
            progressive = marker in _PROGRESSIVE_MARKERS
        elif marker == _APP1 and body[start : start + 6] == b"Exif\0\0":
            orientation = tiff.read_orientation(body[start + 6 : end])
        elif marker == _SOS and (progressive or body[start] != components):
            _check_scans(body, start)
    return Header(width, height, orientation, components)


def _check_scans(body: bytes, start: int) -> None:
    """For files that may have several scans: it takes long to look for them, and decoders refuse a second one when the
    first has all components and is not progressive."""
    if body.count(b"\xff\xda", start) > _MAX_SCANS:
        raise UndecodableFrame(f"the JPEG has more than {_MAX_SCANS} scans")


def _jpeg_segments(body: bytes) -> Iterator[tuple[int, int, int]]:
    """Marker, start and end of each segment's content, up to the first scan."""
    position = 2
    for _ in range(_MAX_PARTS):
        if body[position] != 0xFF:
            break
        while body[position + 1] == 0xFF:
            position += 1
        marker = body[position + 1]
        (length,) = struct.unpack_from(">H", body, position + 2)
        if length < 2 or marker == _EOI:
            break
        yield marker, position + 4, position + 2 + length
        if marker == _SOS:
            return
        position += 2 + length
    raise UndecodableFrame("the JPEG is damaged: its segments don't follow one another")


def _read_png(body: bytes) -> Header:
    if not body.startswith(_PNG_SIGNATURE):
        raise UndecodableFrame("the PNG is damaged: its signature is wrong")
    if body[12:16] != b"IHDR":
        raise UndecodableFrame("the PNG is damaged: IHDR is missing")
    width, height = struct.unpack_from(">II", body, 16)
    orientation = 1
    for name, start, end in _png_chunks(body):
        if name == b"eXIf":
            orientation = tiff.read_orientation(body[start:end])
    return Header(width, height, orientation)


def _png_chunks(body: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Name, start and end of each chunk up to IEND; checksums of the critical ones hold."""
    view, position = memoryview(body), len(_PNG_SIGNATURE)
    for _ in range(_MAX_PARTS):
        length, name = struct.unpack_from(">I4s", body, position)
        end = position + 8 + length
        if end + 4 > len(body):
            break
        critical = not name[0] & 0x20
        if critical and zlib.crc32(view[position + 4 : end]) != struct.unpack_from(">I", body, end)[0]:
            raise UndecodableFrame(f"the PNG is damaged: the checksum of {name.decode('latin-1')} does not hold")
        yield name, position + 8, end
        if name == b"IEND":
            return
        position = end + 4
    raise UndecodableFrame("the PNG is cut off: IEND is missing")


def _read_webp(body: bytes) -> Header:
    name = body[12:16]
    if name == b"VP8 ":
        width, height = struct.unpack_from("<HH", body, 26)
        return Header(width & 0x3FFF, height & 0x3FFF)
    if name == b"VP8L":
        (bits,) = struct.unpack_from("<I", body, 21)
        return Header((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1)
    if name != b"VP8X":
        raise UndecodableFrame("the WEBP is damaged: it starts with no known chunk")
    low_width, high_width, low_height, high_height = struct.unpack_from("<HBHB", body, 24)
    return Header((high_width << 16 | low_width) + 1, (high_height << 16 | low_height) + 1, _webp_orientation(body))


def _webp_orientation(body: bytes) -> int:
    position = 12
    for _ in range(_MAX_PARTS):
        if position + 8 > len(body):
            break
        name, length = struct.unpack_from("<4sI", body, position)
        if name == b"EXIF":
            exif = body[position + 8 : position + 8 + length]
            return tiff.read_orientation(exif.removeprefix(b"Exif\0\0"))
        position += 8 + length + length % 2
    return 1


def _read_bmp(body: bytes) -> Header:
    (size,) = struct.unpack_from("<I", body, 14)
    width, height = struct.unpack_from("<HH" if size == 12 else "<ii", body, 18)
    return Header(width, abs(height))


def _read_tiff(body: bytes) -> Header:
    return Header(*tiff.read_size(body))


_READERS: dict[str, Callable[[bytes], Header]] = {
    "jpeg": _read_jpeg,
    "png": _read_png,
    "webp": _read_webp,
    "bmp": _read_bmp,
    "tiff": _read_tiff,
}
