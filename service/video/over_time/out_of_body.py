"""Whether a frame shows the inside of a body, by its colours; and pixels too coarse to recognise anybody by.

Tissue and blood are red: inside the body most lit pixels are. Drapes, gowns and screens of an operating room are mostly
blue, green or grey. A rule about colours sees no skin, no faces and nothing in a picture without colour: see
docs/api.md for what it finds and what it misses.
"""

import cv2
import numpy as np

from service.imaging.geometry import U8, InputSpec, resize
from service.video.decoding.planes import Planes, to_model_input

LEAST_TISSUE = 0.2
MOST_COOL = 0.25
_SIDE = 96
_SAMPLED_RATIO = 8
_LIT = 40
"""Of 255; what is darker has no colour to go by (the corners of a round picture, bars, depth)."""
_LEAST_LIT = 0.02
_LEAST_SATURATION = 0.03
_BLOCKS = 16


def is_out_of_body(rgb: U8) -> bool:
    """RGB uint8 [h, w, 3], small.

    Over the pixels whose largest channel is at least 40: out of the body is what has less than 20 % tissue (R >= 1.25 G
    and R >= 1.15 B) or more than 25 % cool pixels (B or G > 1.05 R). False where it can't be told: less than 2 % of the
    frame is lit, or its mean saturation (1 - min / max of the channels) is under 0.03, as in grey video.
    """
    brightest = rgb.max(axis=2)
    lit = brightest >= _LIT
    if lit.mean() < _LEAST_LIT:
        return False
    seen = rgb[lit].astype(np.float32)
    if float(np.mean(1 - seen.min(axis=1) / brightest[lit])) < _LEAST_SATURATION:
        return False
    red, green, blue = seen.T
    tissue = (red >= 1.25 * green) & (red >= 1.15 * blue)
    cool = (blue > 1.05 * red) | (green > 1.05 * red)
    return bool(tissue.mean() < LEAST_TISSUE or cool.mean() > MOST_COOL)


def shows_outside(planes: Planes) -> bool:
    """`is_out_of_body` of a frame, looked at in 96 x 96 pixels.

    Large frames are first made up to eight times smaller, which is sampled and costs a tenth of averaging them at once.
    """
    height, width = (max(_SIDE, -(-length // _SAMPLED_RATIO)) for length in planes.y.shape)
    return is_out_of_body(resize(to_model_input(planes, InputSpec(height, width)), _SIDE, _SIDE))


def pixelate(planes: Planes) -> None:
    """Replace a picture by blocks of their mean colour, 16 along its longer side, in place."""
    height, width = planes.y.shape
    block = max(height, width) / _BLOCKS
    rows, columns = max(1, round(height / block)), max(1, round(width / block))
    for plane in (planes.y, planes.u, planes.v):
        coarse = cv2.resize(plane, (columns, rows), interpolation=cv2.INTER_AREA)
        cv2.resize(coarse, plane.shape[::-1], dst=plane, interpolation=cv2.INTER_NEAREST)
