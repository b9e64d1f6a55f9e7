"""What `decode` refuses, with which error and which words."""

import io
import struct
import subprocess
import sys
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from service.errors import CallerError, EmptyBody, TooManyPixels, UndecodableFrame, UnsupportedMediaType
from service.imaging import codecs
from service.imaging.geometry import U8
from tests.support import images


def decode(body: bytes, content_type: str | None = None, max_megapixels: float = 50) -> U8:
    return codecs.decode(body, content_type=content_type, max_megapixels=max_megapixels)


def test_an_empty_body_is_refused() -> None:
    with pytest.raises(EmptyBody, match=r"the body is empty; send one frame as image/jpeg"):
        decode(b"")


@pytest.mark.parametrize(
    ("body", "seen"),
    [
        (images.text(), "text"),
        (images.svg(), "SVG"),
        (b'<?xml version="1.0"?>\n<!-- drawn -->' + images.svg(), "SVG"),
        (b"\xef\xbb\xbf<!DOCTYPE html><title>no</title>", "HTML"),
        (b'<?xml version="1.0"?><frame/>', "XML"),
        (b'{"image": "..."}', "JSON"),
        (images.animated_gif(), "GIF"),
        (b"%PDF-1.7\n", "PDF"),
        (b"\0\0\0\x20ftypisom\0\0\2\0", "MP4 video"),
        (b"\0\0\0\x20ftypavif\0\0\0\0", "AVIF"),
        (b"RIFF\x10\0\0\0AVI LIST", "AVI video"),
        (b"\x1a\x45\xdf\xa3\x01", "Matroska or WebM video"),
        (bytes(128) + b"DICM", "DICOM"),
        (b"PK\x03\x04", "ZIP"),
        (b"BM is how this sentence starts", "text"),
        (bytes(range(256)), "unknown binary data"),
        ("é".encode() * 600, "text"),
    ],
)
def test_what_is_no_frame_is_named(body: bytes, seen: str) -> None:
    with pytest.raises(UnsupportedMediaType) as refusal:
        decode(body)
    allowed = "image/jpeg, image/png, image/webp, image/bmp, image/tiff"
    assert str(refusal.value) == f"the body looks like {seen}; allowed are {allowed}"


@pytest.mark.parametrize("content_type", ["text/html", "image/svg+xml", "image/gif", "video/mp4", "*/*"])
def test_a_declared_type_that_is_not_allowed_is_refused(content_type: str) -> None:
    with pytest.raises(UnsupportedMediaType) as refusal:
        decode(images.encoded("png"), content_type)
    assert str(refusal.value).startswith(f"the content type is {content_type}; allowed are image/jpeg, ")


@pytest.mark.parametrize("kind", images.KINDS)
def test_too_many_pixels_are_refused_from_the_header(kind: str) -> None:
    body = images.claiming(kind, 12000, 9000)
    tracemalloc.start()
    with pytest.raises(TooManyPixels) as refusal:
        decode(body)
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert str(refusal.value) == ("frame is 12000x9000 (108 MP); the limit is 50 MP (ENDOMASK_MAX_FRAME_MEGAPIXELS)")
    assert peak_bytes < 1_000_000


def test_the_pixel_limit_itself_is_allowed() -> None:
    body = images.encoded("png", np.zeros((100, 200, 3), np.uint8))
    assert decode(body, max_megapixels=0.02).shape == (100, 200, 3)
    with pytest.raises(TooManyPixels, match=r"frame is 200x100 \(0\.02 MP\); the limit is 0\.0199 MP"):
        decode(body, max_megapixels=0.0199)


@pytest.mark.parametrize(("width", "height"), [(0, 96), (160, 0), (0, 0)])
@pytest.mark.parametrize("kind", ["jpeg", "png", "bmp", "tiff"])
def test_a_picture_without_pixels_is_refused(kind: str, width: int, height: int) -> None:
    with pytest.raises(UndecodableFrame, match=f"the {kind.upper()} says that it is {width}x{height} pixels"):
        decode(images.claiming(kind, width, height))


@pytest.mark.parametrize("kind", images.KINDS)
def test_a_header_that_claims_more_than_is_there_is_refused(kind: str) -> None:
    with pytest.raises(UndecodableFrame):
        decode(images.claiming(kind, 320, 192))


@pytest.mark.parametrize("kind", [*images.KINDS, "progressive", "lzw", "vp8"])
def test_a_file_cut_off_anywhere_is_refused(kind: str, noise: U8) -> None:
    body = cuttable(kind, noise)
    assert decode(body).shape == noise.shape
    first = {"bmp": 18}.get(kind, 12)
    ends = {*range(first, min(len(body), 400), 7), *(int(len(body) * share) for share in np.linspace(0.05, 0.999, 40))}
    for end in sorted(ends):
        if end >= first:
            with pytest.raises(UndecodableFrame):
                decode(body[:end])
    with pytest.raises(UndecodableFrame):
        decode(body[:-4])


def test_a_jpeg_cut_off_and_closed_again_is_refused(noise: U8) -> None:
    """OpenCV and Pillow show it, the lower part grey."""
    body = images.encoded("jpeg", noise)
    for share in (0.4, 0.6, 0.9):
        with pytest.raises(UndecodableFrame, match=r"the JPEG is cut off or damaged: .*premature end"):
            decode(body[: int(len(body) * share)] + b"\xff\xd9")


@pytest.mark.parametrize("kind", ["jpeg", "png", "webp"])
def test_a_file_whose_second_half_is_garbage_is_refused(kind: str) -> None:
    with pytest.raises(UndecodableFrame):
        decode(images.corrupted(images.encoded(kind)))


def test_one_flipped_bit_in_a_png_is_noticed(noise: U8) -> None:
    body = bytearray(images.encoded("png", noise))
    body[len(body) // 2] ^= 1
    with pytest.raises(UndecodableFrame, match="the PNG is damaged: the checksum of IDAT does not hold"):
        decode(bytes(body))


def test_a_png_with_sound_checksums_around_wrong_data_is_refused() -> None:
    with pytest.raises(UndecodableFrame):
        decode(images.claiming("png", 160, 96))


def test_floating_point_samples_are_refused() -> None:
    grey = io.BytesIO()
    Image.fromarray(np.zeros((8, 8), np.float32)).save(grey, "tiff")
    for body in (images.float_tiff(), grey.getvalue()):
        with pytest.raises(UndecodableFrame, match="not of 8 or 16 bits a sample"):
            decode(body)


def test_a_jpeg_of_countless_scans_is_refused() -> None:
    body = images.progressive_jpeg()
    start = body.rindex(b"\xff\xda")
    with pytest.raises(UndecodableFrame, match="the JPEG has more than 100 scans"):
        decode(body[:-2] + body[start:-2] * 101 + body[-2:])


def test_scans_after_a_whole_picture_are_refused_by_the_decoder() -> None:
    body = images.encoded("jpeg")
    start = body.rindex(b"\xff\xda")
    with pytest.raises(UndecodableFrame, match="more than one scan"):
        decode(body[:-2] + body[start:-2] * 101 + body[-2:])


def test_a_tiff_whose_tags_all_point_at_the_same_bytes_is_refused() -> None:
    """Four thousand tags that each claim the whole file would fill the memory of a decoder that reads them."""
    count, payload = 4000, bytes(1_000_000)
    tags = b"".join(struct.pack("<HHII", 40000 + index, 7, len(payload), 8) for index in range(count - 2))
    size = struct.pack("<HHII", 256, 4, 1, 64) + struct.pack("<HHII", 257, 4, 1, 64)
    body = b"II*\0" + struct.pack("<I", 8 + len(payload)) + payload + struct.pack("<H", count) + size + tags + bytes(4)
    with pytest.raises(UndecodableFrame, match="its tags claim more bytes than the file has"):
        decode(body)


def test_a_tiff_directory_that_points_at_itself_is_refused_or_read_once() -> None:
    body = b"II*\0" + struct.pack("<IH", 8, 1) + struct.pack("<HHII", 0x8769, 4, 1, 8) + struct.pack("<I", 8)
    with pytest.raises(UndecodableFrame):
        decode(body)


@pytest.mark.parametrize("kind", images.KINDS)
def test_flipped_bytes_never_raise_anything_but_our_errors(kind: str, noise: U8) -> None:
    body, random = images.encoded(kind, noise), np.random.default_rng(1)
    for _ in range(150):
        damaged = bytearray(body)
        for place in random.integers(0, min(len(body), 600), 3):
            damaged[place] = random.integers(256)
        try:
            rgb = decode(bytes(damaged), max_megapixels=1)
        except CallerError:
            continue
        assert rgb.dtype == np.uint8
        assert rgb.shape[2] == 3


def test_a_refused_frame_does_not_spoil_the_next_one(noise: U8) -> None:
    good = images.encoded("jpeg", noise)
    expected = decode(good)
    for kind in images.KINDS:
        with pytest.raises(UndecodableFrame):
            decode(images.encoded(kind, noise)[:100])
        assert (decode(good) == expected).all()


def test_threads_decode_side_by_side(noise: U8) -> None:
    bodies = [images.encoded(kind, noise) for kind in images.KINDS] * 8
    expected = [decode(body) for body in bodies]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(decode, bodies))
    assert all((one == other).all() for one, other in zip(found, expected, strict=True))


def test_damaged_files_leave_standard_error_empty(noise: U8) -> None:
    bodies = [images.encoded(kind, noise)[:-40] for kind in images.KINDS]
    bodies += [images.encoded("jpeg", noise)[:900] + b"\xff\xd9", images.corrupted(images.encoded("tiff", noise))]
    bodies += [cuttable("lzw", noise)[:-cut] for cut in range(4, 60, 8)]
    script = (
        "import sys; from service.errors import CallerError; from service.imaging.codecs import decode\n"
        f"for body in {bodies!r}:\n"
        "    try: decode(body, content_type=None, max_megapixels=1)\n"
        "    except CallerError: pass\n"
    )
    done = subprocess.run([sys.executable, "-"], input=script.encode(), capture_output=True, check=False)
    assert done.returncode == 0
    assert done.stderr == b""


def cuttable(kind: str, rgb: U8) -> bytes:
    if kind == "progressive":
        return images.progressive_jpeg(rgb)
    if kind in images.KINDS:
        return images.encoded(kind, rgb)
    out = io.BytesIO()
    if kind == "lzw":
        Image.fromarray(rgb).save(out, "tiff", compression="tiff_lzw")
    else:
        Image.fromarray(rgb).save(out, "webp", quality=80)
    return out.getvalue()
