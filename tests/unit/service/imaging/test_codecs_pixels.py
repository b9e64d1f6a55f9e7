"""What `decode` shows is what a person sees: each kind of file, compared with another decoder or what was drawn."""

import io
import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps
from skimage.metrics import peak_signal_noise_ratio

from service.imaging import codecs
from service.imaging.geometry import U8
from tests.support import images

ORIENTED_KINDS = ("jpeg", "png", "webp", "tiff")


def decode(body: bytes) -> U8:
    rgb = codecs.decode(body, content_type=None, max_megapixels=1)
    assert rgb.dtype == np.uint8
    assert rgb.ndim == 3
    assert rgb.shape[2] == 3
    assert rgb.flags.c_contiguous
    return rgb


def assert_alike(rgb: U8, expected: U8, tolerance: int = 0) -> None:
    assert rgb.shape == expected.shape
    assert np.abs(rgb.astype(int) - expected.astype(int)).max() <= tolerance


def by_pillow(body: bytes) -> U8:
    return np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(body))).convert("RGB"))


def on_black(rgb: U8, alpha: int) -> U8:
    return np.rint(rgb * (alpha / 255)).astype(np.uint8)


@pytest.mark.parametrize("kind", images.KINDS)
def test_every_format_gives_the_picture(kind: str) -> None:
    assert_alike(decode(images.encoded(kind)), images.PICTURE, tolerance=4 if kind == "jpeg" else 0)


@pytest.mark.parametrize("kind", images.KINDS)
def test_every_format_agrees_with_pillow_on_noise(kind: str, noise: U8) -> None:
    body = images.encoded(kind, noise)
    assert_alike(decode(body), by_pillow(body), tolerance=1)


@pytest.mark.parametrize("kind", images.KINDS)
def test_a_grey_picture_becomes_three_equal_channels(kind: str) -> None:
    body = images.grey(kind)
    rgb = decode(body)
    assert_alike(rgb, by_pillow(body))
    assert (rgb[..., 0] == rgb[..., 1]).all()
    assert (rgb[..., 0] == rgb[..., 2]).all()


@pytest.mark.parametrize("alpha", [0, 100, 255])
@pytest.mark.parametrize("kind", ["png", "webp", "tiff"])
def test_transparency_shows_black(kind: str, alpha: int) -> None:
    stored = np.asarray(Image.open(io.BytesIO(images.with_alpha(kind, alpha))).convert("RGBA"))
    assert_alike(decode(images.with_alpha(kind, alpha)), on_black(stored[..., :3], alpha), tolerance=1)


def test_a_bitmap_with_alpha_is_composited() -> None:
    assert_alike(decode(bmp_with_alpha(100)), on_black(images.PICTURE, 100), tolerance=1)


def test_a_bitmap_whose_alpha_was_never_filled_in_is_opaque() -> None:
    assert_alike(decode(bmp_with_alpha(0)), images.PICTURE)


def test_grey_with_alpha_is_grey() -> None:
    body = images.grey_with_alpha_png()
    assert_alike(decode(body), by_pillow(body))


def test_an_indexed_picture_shows_its_colours() -> None:
    body = images.palette_png()
    assert_alike(decode(body), by_pillow(body))


def test_a_transparent_palette_entry_shows_black() -> None:
    picture = Image.fromarray(images.PICTURE).quantize(2)
    red = picture.getpixel((images.BOX[0], images.BOX[1]))
    out = io.BytesIO()
    picture.save(out, "png", transparency=red)
    x, y, width, height = images.BOX
    rgb = decode(out.getvalue())
    assert not rgb[y : y + height, x : x + width].any()
    assert rgb[0, 0].all()


def test_one_bit_a_pixel_is_black_and_white() -> None:
    body = images.bilevel_png()
    assert_alike(decode(body), by_pillow(body))
    assert set(np.unique(decode(body))) == {0, 255}


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("kind", ["png", "tiff"])
def test_sixteen_bits_are_scaled_and_not_clipped(kind: str, channels: int) -> None:
    expected = images.PICTURE if channels == 3 else np.dstack([cv2.cvtColor(images.PICTURE, cv2.COLOR_RGB2GRAY)] * 3)
    assert_alike(decode(images.sixteen_bit(kind, channels=channels)), expected, tolerance=1)


def test_a_sixteen_bit_tiff_whose_white_is_zero_is_not_a_negative() -> None:
    body = bytearray(images.sixteen_bit("tiff", channels=1))
    upright = decode(bytes(body))
    entry = bytes.fromhex("0601 0300 01000000")  # tag 262, one short
    body[body.index(entry) + 8] = 0
    assert_alike(decode(bytes(body)), 255 - upright, tolerance=1)


def test_a_cmyk_jpeg_as_adobe_writes_it_agrees_with_pillow(noise: U8) -> None:
    for picture in (images.PICTURE, noise):
        body = images.cmyk_jpeg(picture)
        assert b"Adobe" in body
        assert_alike(decode(body), by_pillow(body), tolerance=2)


def test_a_cmyk_jpeg_without_adobes_marker_is_read_as_adobes() -> None:
    body = images.cmyk_jpeg()
    start = body.index(b"\xff\xee")
    plain = body[:start] + body[start + 2 + struct.unpack_from(">H", body, start + 2)[0] :]
    assert_alike(decode(plain), by_pillow(plain), tolerance=2)


@pytest.mark.parametrize("kind", ORIENTED_KINDS)
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_picture_is_shown_upright(kind: str, orientation: int) -> None:
    body = images.oriented(orientation, kind)
    assert_alike(decode(body), images.PICTURE, tolerance=4 if kind == "jpeg" else 0)
    assert_alike(decode(body), by_pillow(body), tolerance=1)


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_an_orientation_that_does_not_exist_is_ignored(orientation: int) -> None:
    body = images.oriented(orientation, "jpeg")
    assert_alike(decode(body), images.PICTURE, tolerance=4)


def test_damaged_exif_leaves_the_picture_as_it_is() -> None:
    body = images.oriented(6, "jpeg")
    damaged = body.replace(b"Exif\0\0MM\0*", b"Exif\0\0MM\xff\xff")
    assert damaged != body
    assert decode(damaged).shape == (160, 96, 3)


def test_a_progressive_jpeg_gives_the_picture() -> None:
    assert_alike(decode(images.progressive_jpeg()), images.PICTURE, tolerance=4)


def test_an_interlaced_png_gives_the_picture() -> None:
    body = interlaced_png()
    assert_alike(decode(body), by_pillow(body))
    assert_alike(decode(body), images.PICTURE[:8, :8])


@pytest.mark.parametrize("body", [images.animated_webp(), images.two_page_tiff()], ids=["webp", "tiff"])
def test_of_several_pictures_the_first_is_taken(body: bytes) -> None:
    assert_alike(decode(body), images.PICTURE)


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate", "packbits", "tiff_deflate"])
def test_a_compressed_tiff_gives_the_picture(compression: str, noise: U8) -> None:
    out = io.BytesIO()
    Image.fromarray(noise).save(out, "tiff", compression=compression)
    assert_alike(decode(out.getvalue()), noise)


@pytest.mark.parametrize("kind", images.KINDS)
@pytest.mark.parametrize("size", [(1, 1), (1, 7), (7, 1), (3, 5), (17, 31)])
def test_small_and_odd_sizes_work(kind: str, size: tuple[int, int]) -> None:
    frame = np.full((*size, 3), (200, 120, 120), np.uint8)
    assert_alike(decode(images.encoded(kind, frame)), frame, tolerance=4 if kind == "jpeg" else 0)


def test_a_jpeg_padded_before_its_end_marker_is_taken() -> None:
    """As many UVC frame grabbers write them."""
    body = images.encoded("jpeg")
    assert_alike(decode(body[:-2] + bytes(16) + body[-2:]), decode(body))


def test_bytes_after_the_end_marker_are_ignored() -> None:
    body = images.encoded("jpeg")
    assert_alike(decode(body + b"\0" * 100), decode(body))


@pytest.mark.parametrize("content_type", [None, "", "application/octet-stream", "image/png", "IMAGE/JPEG; q=1"])
def test_the_bytes_decide_whatever_allowed_type_was_declared(content_type: str | None) -> None:
    rgb = codecs.decode(images.encoded("jpeg"), content_type=content_type, max_megapixels=1)
    assert_alike(rgb, images.PICTURE, tolerance=4)


def test_an_encoded_jpeg_shows_the_same_picture_to_pillow() -> None:
    shown = Image.open(io.BytesIO(codecs.encode_jpeg(images.PICTURE)))
    assert shown.format == "JPEG"
    assert peak_signal_noise_ratio(images.PICTURE, np.asarray(shown)) > 35


def test_a_lower_quality_makes_a_smaller_jpeg(noise: U8) -> None:
    assert len(codecs.encode_jpeg(noise, quality=40)) < len(codecs.encode_jpeg(noise, quality=95))


def bmp_with_alpha(alpha: int) -> bytes:
    """A 32-bit bitmap with an alpha mask, written by OpenCV."""
    bgra = np.dstack([images.PICTURE[..., ::-1], np.full(images.PICTURE.shape[:2], alpha, np.uint8)])
    done, data = cv2.imencode(".bmp", bgra)
    assert done
    assert Image.open(io.BytesIO(data.tobytes())).mode == "RGBA"
    return data.tobytes()


def interlaced_png() -> bytes:
    """The first 8x8 pixels of the picture in Adam7's seven passes (PNG specification, section 8)."""
    corner = images.PICTURE[:8, :8]
    passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
    rows = [b"\0" + row.tobytes() for x, y, dx, dy in passes for row in corner[y::dy, x::dx]]
    parts = [
        (b"IHDR", struct.pack(">IIBBBBB", 8, 8, 8, 2, 0, 0, 1)),
        (b"IDAT", zlib.compress(b"".join(rows))),
        (b"IEND", b""),
    ]
    chunks = [struct.pack(">I", len(d)) + n + d + struct.pack(">I", zlib.crc32(n + d)) for n, d in parts]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)
