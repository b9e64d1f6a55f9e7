"""JPEGs decoded for a model at a part of their size, compared with the whole picture shrunk by OpenCV."""

from collections.abc import Callable

import cv2
import numpy as np
import pytest

from service.errors import UndecodableFrame
from service.imaging import codecs, jpeg
from service.imaging.geometry import U8, InputSpec
from tests.support import images

SPEC = InputSpec(100, 100)


def large_picture(height: int = 601, width: int = 803) -> U8:
    return cv2.resize(images.PICTURE, (width, height), interpolation=cv2.INTER_LINEAR)


def decode_for(spec: InputSpec | None, body: bytes) -> codecs.Picture:
    return codecs.decode_for(spec, body, content_type=None, max_megapixels=5)


@pytest.mark.parametrize(
    ("size", "needed", "scale"),
    [
        ((480, 854), (288, 288), 1),
        ((863, 2000), (288, 288), 1),
        ((864, 864), (288, 288), 2),
        ((1080, 1920), (288, 288), 2),
        ((2160, 3840), (288, 288), 4),
        ((4320, 7680), (288, 288), 8),
        ((10_000, 10_000), (16, 16), 8),
        ((100, 100), (288, 288), 1),
    ],
)
def test_what_is_left_is_half_as_large_again_as_the_input(
    size: tuple[int, int], needed: tuple[int, int], scale: int
) -> None:
    assert jpeg.choose_scale(size, needed) == scale


@pytest.mark.parametrize("shape", [(601, 803), (600, 800), (1500, 1201)])
def test_a_reduced_picture_is_the_whole_one_shrunk(shape: tuple[int, int]) -> None:
    body = images.encoded("jpeg", large_picture(*shape))
    picture, whole = decode_for(SPEC, body), decode_for(None, body)
    assert (picture.height, picture.width) == (whole.height, whole.width) == shape
    assert whole.rgb.shape[:2] == shape
    height, width = picture.rgb.shape[:2]
    scale = jpeg.choose_scale(shape, (100, 100))
    assert scale > 1
    assert (height, width) == (-(-shape[0] // scale), -(-shape[1] // scale))
    shrunk = cv2.resize(whole.rgb, (width, height), interpolation=cv2.INTER_AREA)
    assert np.abs(picture.rgb.astype(int) - shrunk).mean() < 1


def grey(rgb: U8) -> bytes:
    return images.grey("jpeg", rgb)


@pytest.mark.parametrize("make", [grey, images.cmyk_jpeg, images.progressive_jpeg])
def test_every_kind_of_jpeg_is_reduced(make: Callable[[U8], bytes]) -> None:
    body = make(large_picture())
    picture = decode_for(SPEC, body)
    assert picture.rgb.shape == (151, 201, 3)
    shrunk = cv2.resize(decode_for(None, body).rgb, (201, 151), interpolation=cv2.INTER_AREA)
    assert np.abs(picture.rgb.astype(int) - shrunk).mean() < 1


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_reduced_picture_is_upright(orientation: int) -> None:
    picture = decode_for(SPEC, images.oriented(orientation, rgb=large_picture()))
    assert (picture.height, picture.width) == (601, 803)
    assert picture.rgb.shape == (151, 201, 3)
    assert picture.rgb[30, 60, 1] < 80, "the red box is upper left"
    assert picture.rgb[120, 150, 1] > 80


def test_a_letterbox_needs_only_what_its_frame_fills() -> None:
    body = images.encoded("jpeg", large_picture(300, 1200))
    assert decode_for(InputSpec(100, 100, "stretch"), body).rgb.shape[:2] == (150, 600)
    assert decode_for(InputSpec(100, 100, "letterbox"), body).rgb.shape[:2] == (38, 150)


@pytest.mark.parametrize("kind", ["png", "webp", "bmp", "tiff"])
def test_other_formats_come_whole(kind: str) -> None:
    assert decode_for(SPEC, images.encoded(kind, large_picture())).rgb.shape == (601, 803, 3)


def test_a_cut_off_jpeg_is_refused_at_a_reduced_size_too() -> None:
    body = images.encoded("jpeg", large_picture())
    with pytest.raises(UndecodableFrame, match="the JPEG is cut off or damaged"):
        decode_for(SPEC, body[: len(body) // 2])
