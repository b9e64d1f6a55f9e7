"""JPEG -> pixels at its own size, or at the fraction of it that a model needs."""

import cv2
import numpy as np
import simplejpeg

from service.errors import UndecodableFrame
from service.imaging.geometry import U8
from service.imaging.headers import Header

_SCALES = (8, 4, 2)
"""One over the fractions at which libjpeg-turbo decodes faster; those between take longer than the whole."""
_SPARE = 1.5
"""How much larger than the model's input a reduced picture stays, so that its mask is as good as that of the whole."""
_HARMLESS = "extraneous bytes before marker 0xd9"
"""Many frame grabbers pad their JPEGs before the end marker; every pixel is there."""


def choose_scale(size: tuple[int, int], needed: tuple[int, int]) -> int:
    """Height and width of a frame, and of the model's input that it fills -> 1, 2, 4 or 8: one over the fraction."""
    spare = min(size[0] / needed[0], size[1] / needed[1])
    return next((scale for scale in _SCALES if spare >= scale * _SPARE), 1)


def decode(body: bytes, header: Header, scale: int) -> U8:
    """RGB uint8 [ceil(H / scale), ceil(W / scale), 3] as stored; raises UndecodableFrame, or ValueError."""
    space = "CMYK" if header.components == 4 else "RGB"
    size = {"min_height": -(-header.height // scale), "min_width": -(-header.width // scale)}
    try:
        pixels = simplejpeg.decode_jpeg(body, space, **size, strict=True)
    except ValueError as error:
        if _HARMLESS not in str(error):
            raise UndecodableFrame(f"the JPEG is cut off or damaged: {error}") from error
        pixels = simplejpeg.decode_jpeg(body, space, **size, strict=False)
    return pixels if space == "RGB" else _cmyk_to_rgb(pixels)


def _cmyk_to_rgb(light: U8) -> U8:
    """CMYK of a JPEG, uint8 [H, W, 4] with 255 = no ink -> RGB uint8 [H, W, 3]."""
    red, green, blue, black = cv2.split(light)
    return np.asarray(cv2.merge([cv2.multiply(ink, black, scale=1 / 255) for ink in (red, green, blue)]), np.uint8)
