"""Image files of every kind that the service meets, each made in memory and always the same.

`PICTURE` is what they show: pink with a bright red box in the upper left, so that the box tells whether a decoder has
turned, mirrored or recoloured it. Functions return the file's bytes; `kind` is jpeg, png, webp, bmp or tiff.
"""

import io
import struct
import zlib

import cv2
import numpy as np
from PIL import Image

from service.imaging.geometry import U8
from tests.support.red import red_frame

KINDS = ("jpeg", "png", "webp", "bmp", "tiff")
BOX = (16, 8, 64, 32)  # x, y, width, height: whole JPEG blocks, so that its edges stay sharp
PICTURE = red_frame(96, 160, BOX)
"""RGB uint8 [96, 160, 3]."""

_LOSSLESS = {"jpeg": {"quality": 95, "subsampling": 0}, "webp": {"lossless": True}}
_UNDO = {  # what the camera did to the upright picture, so that its viewer must undo it
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
_ORIENTATION_TAG = 0x0112


def encoded(kind: str, rgb: U8 = PICTURE) -> bytes:
    """RGB uint8 [H, W, 3] as a plain file; JPEG at quality 95, the others without loss."""
    return _saved(Image.fromarray(rgb), kind)


def progressive_jpeg(rgb: U8 = PICTURE) -> bytes:
    """A JPEG that comes in several scans."""
    return _saved(Image.fromarray(rgb), "jpeg", progressive=True)


def cmyk_jpeg(rgb: U8 = PICTURE) -> bytes:
    """A print shop's JPEG: four inks, inverted as Adobe writes them."""
    return _saved(Image.fromarray(rgb).convert("CMYK"), "jpeg")


def grey(kind: str, rgb: U8 = PICTURE) -> bytes:
    """One channel (WebP has none: three equal ones)."""
    return _saved(Image.fromarray(rgb).convert("L"), kind)


def with_alpha(kind: str, alpha: int = 255, rgb: U8 = PICTURE) -> bytes:
    """RGBA with the same `alpha` everywhere; png, webp or tiff."""
    picture = Image.fromarray(rgb).convert("RGBA")
    picture.putalpha(alpha)
    return _saved(picture, kind)


def grey_with_alpha_png(rgb: U8 = PICTURE) -> bytes:
    """Grey and alpha, two channels."""
    return _saved(Image.fromarray(rgb).convert("LA"), "png")


def palette_png(rgb: U8 = PICTURE) -> bytes:
    """Indexed colours."""
    return _saved(Image.fromarray(rgb).quantize(4), "png")


def bilevel_png(rgb: U8 = PICTURE) -> bytes:
    """One bit a pixel: white where the picture is red."""
    return _saved(Image.fromarray(((rgb[..., 0] > 215) * 255).astype(np.uint8)).convert("1"), "png")


def sixteen_bit(kind: str, rgb: U8 = PICTURE, channels: int = 3) -> bytes:
    """16 bits a channel, full range: 255 becomes 65535. png or tiff; 3 channels or 1."""
    wide = rgb.astype(np.uint16) * 257
    pixels = wide[..., ::-1] if channels == 3 else cv2.cvtColor(wide, cv2.COLOR_RGB2GRAY)
    done, data = cv2.imencode(f".{kind}", pixels)
    assert done
    return data.tobytes()


def float_tiff(rgb: U8 = PICTURE) -> bytes:
    """32-bit floats from 0 to 1: a picture that no camera makes."""
    done, data = cv2.imencode(".tiff", (rgb[..., ::-1] / 255).astype(np.float32))
    assert done
    return data.tobytes()


def oriented(orientation: int, kind: str = "jpeg", rgb: U8 = PICTURE) -> bytes:
    """`rgb` as a person sees it, stored as a camera held like EXIF `orientation` (1 to 8) stores it; not for bmp."""
    exif = Image.Exif()
    exif[_ORIENTATION_TAG] = orientation
    picture = Image.fromarray(rgb)
    return _saved(picture.transpose(_UNDO[orientation]) if orientation in _UNDO else picture, kind, exif=exif)


def one_pixel(kind: str) -> bytes:
    """A picture of 1x1."""
    return encoded(kind, PICTURE[8:9, 16:17])


def claiming(kind: str, width: int, height: int) -> bytes:
    """A small file whose header claims another size: a decompression bomb, or with 0 a picture without pixels.

    A WebP's sides are 1 to 16384.
    """
    if kind == "png":
        return _png_claiming(width, height)
    data = bytearray(encoded(kind))
    if kind == "jpeg":
        at = data.index(b"\xff\xc0") + 5
        data[at : at + 4] = struct.pack(">HH", height, width)
    elif kind == "bmp":
        data[18:26] = struct.pack("<ii", width, height)
    elif kind == "tiff":
        _patch_tiff(data, {256: width, 257: height})
    elif kind == "webp":
        at = data.index(b"VP8L") + 9  # behind the chunk's size and its signature byte: 14 bits for each side less one
        data[at : at + 4] = struct.pack("<I", (width - 1) | (height - 1) << 14 | 1 << 28)
    return bytes(data)


def truncated(data: bytes, share: float = 0.5) -> bytes:
    """The first `share` of a file: an upload that broke off."""
    return data[: int(len(data) * share)]


def corrupted(data: bytes) -> bytes:
    """A file with its second half overwritten: right length, right header, wrong pixels."""
    half = len(data) // 2
    return data[:half] + bytes(byte ^ 0xA5 for byte in data[half:])


def animated_gif() -> bytes:
    """A format that is not taken: GIF, two frames."""
    out, frames = io.BytesIO(), [Image.fromarray(PICTURE), Image.fromarray(PICTURE[::-1].copy())]
    frames[0].save(out, "gif", save_all=True, append_images=frames[1:], duration=100)
    return out.getvalue()


def animated_webp() -> bytes:
    """WebP with two frames: the picture, and the picture upside down."""
    out, frames = io.BytesIO(), [Image.fromarray(PICTURE), Image.fromarray(PICTURE[::-1].copy())]
    frames[0].save(out, "webp", save_all=True, append_images=frames[1:], duration=100, lossless=True)
    return out.getvalue()


def two_page_tiff() -> bytes:
    """TIFF with two pages: the picture, and the picture upside down."""
    out, pages = io.BytesIO(), [Image.fromarray(PICTURE), Image.fromarray(PICTURE[::-1].copy())]
    pages[0].save(out, "tiff", save_all=True, append_images=pages[1:])
    return out.getvalue()


def svg() -> bytes:
    """A drawing that is text, and would run scripts in a browser."""
    head = b'<svg xmlns="http://www.w3.org/2000/svg" width="160" height="96">'
    return head + b'<rect width="160" height="96" fill="red"/></svg>'


def text() -> bytes:
    """No picture at all."""
    return b"This is not a picture.\n" * 20


def _saved(picture: Image.Image, kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    picture.save(out, kind, **{**_LOSSLESS.get(kind, {}), **options})
    return out.getvalue()


def _png_claiming(width: int, height: int) -> bytes:
    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(bytes(1000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def _patch_tiff(data: bytearray, values: dict[int, int]) -> None:
    """Overwrite tags of a little-endian TIFF's first directory, as 32-bit numbers."""
    (directory,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, directory)
    for entry in range(directory + 2, directory + 2 + 12 * count, 12):
        (tag,) = struct.unpack_from("<H", data, entry)
        if tag in values:
            struct.pack_into("<HHII", data, entry, tag, 4, 1, values[tag])
