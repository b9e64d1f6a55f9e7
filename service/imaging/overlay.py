"""Masks drawn on frames, for people."""

import cv2
import numpy as np

from service.imaging.geometry import U8, select

_OUTLINE_SHARE = 1 / 360
"""Outline's width as a share of the frame's shorter side, at least one pixel."""


def draw(rgb: U8, labels: U8, palette: list[tuple[int, int, int]], opacity: float) -> U8:
    """Frame uint8 [H, W, 3] and class ids uint8 [H, W] -> a new frame: each foreground class tinted with its colour
    (`opacity` 0..1 of it) and outlined in it, holes too. Background (id 0) is left as it is."""
    drawn = rgb.copy()
    width = max(1, round(min(labels.shape) * _OUTLINE_SHARE))
    for class_id, colour in enumerate(palette[1:], start=1):
        selected = select(labels, class_id)
        left, top, box_width, box_height = cv2.boundingRect(selected)
        if box_width == 0:
            continue
        box = slice(top, top + box_height), slice(left, left + box_width)
        cv2.copyTo(cv2.LUT(drawn[box], _tint(colour, opacity)), selected[box], drawn[box])
        contours, _ = cv2.findContours(selected, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(drawn, contours, -1, colour, width)
    return drawn


def _tint(colour: tuple[int, int, int], opacity: float) -> U8:
    """Table uint8 [1, 256, 3]: each value of a channel blended with the colour's."""
    values = np.arange(256, dtype=np.float64)[:, np.newaxis]
    blended = values * (1 - opacity) + np.array(colour, np.float64) * opacity
    return np.rint(blended).astype(np.uint8)[np.newaxis]
