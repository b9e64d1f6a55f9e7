"""Class colours and outlines, drawn on the YUV planes: no frame is turned into RGB for it."""

from collections.abc import Sequence
from functools import cache

import cv2
import numpy as np
import numpy.typing as npt

from service.imaging.geometry import U8
from service.video.decoding.planes import Colour, Planes
from service.video.segments.measuring import Mask

_FRAME_HEIGHT_PER_OUTLINE_PIXEL = 360


class Annotator:
    """Blends each class's colour over its pixels and draws its edge in full colour."""

    def __init__(self, palette: Sequence[tuple[int, int, int]], opacity: float) -> None:
        self._rgb = np.column_stack([np.array(palette, np.float32), np.ones(len(palette), np.float32)])
        self._opacity = opacity
        self._colours = cache(self._in_yuv)

    def draw(self, planes: Planes, mask: Mask) -> None:
        """Draw a mask on the planes, in place; background is left as it is."""
        if mask.is_empty:
            return
        # Chroma has half the resolution; a box that begins at an even pixel lies on it.
        top, bottom, left, right = mask.top - mask.top % 2, mask.bottom, mask.left - mask.left % 2, mask.right
        luma = slice(top, bottom), slice(left, right)
        chroma = slice(top // 2, (bottom + 1) // 2), slice(left // 2, (right + 1) // 2)
        seen = planes.y[luma], planes.u[chroma], planes.v[chroma]
        outline = max(1, round(mask.labels.shape[0] / _FRAME_HEIGHT_PER_OUTLINE_PIXEL))
        for class_id, colour in enumerate(self._colours(planes.colour)[1:], start=1):
            shown = np.asarray(cv2.inRange(mask.labels[luma], class_id, class_id), np.uint8)
            self._draw_class(seen, shown, outline, colour)

    def _draw_class(self, seen: tuple[U8, U8, U8], mask: U8, outline: int, colour: Sequence[float]) -> None:
        """`mask` is 255 where the class is, `outline` its edge's width in pixels, `colour` YUV of 0..255."""
        luma, *chroma = seen
        self._paint(luma, mask, _edge(mask, outline), colour[0])
        half = _halve(mask)
        edge = _edge(half, (outline + 1) // 2)
        for plane, value in zip(chroma, colour[1:], strict=True):
            self._paint(plane, half, edge, value)

    def _paint(self, plane: U8, mask: U8, edge: U8, value: float) -> None:
        """Blend `value` in where `mask` is, and put it where `edge` is."""
        blended = cv2.convertScaleAbs(plane, alpha=1 - self._opacity, beta=self._opacity * value)
        cv2.copyTo(blended, mask, plane)
        cv2.copyTo(np.full_like(plane, round(value)), edge, plane)

    def _in_yuv(self, colour: Colour) -> list[list[float]]:
        """Each class's YUV of 0..255."""
        yuv: npt.NDArray[np.float32] = np.clip(self._rgb @ colour.from_rgb().T, 0, 255)
        return yuv.tolist()  # type: ignore[no-any-return]  # NumPy types it as any depth of list


def _edge(mask: U8, width: int) -> U8:
    """Pixels of a mask along its border and the box's, uint8 [H, W], always inside the mask."""
    kernel = np.ones((1 + 2 * width, 1 + 2 * width), np.uint8)
    inner = cv2.erode(mask, kernel, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    return np.asarray(cv2.subtract(mask, inner), np.uint8)


def _halve(mask: U8) -> U8:
    """Half the size; a pixel is set where any of its four is, so that thin lines stay whole."""
    height, width = mask.shape
    if height % 2 or width % 2:
        mask = np.asarray(cv2.copyMakeBorder(mask, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE), np.uint8)
    averaged = cv2.resize(mask, ((width + 1) // 2, (height + 1) // 2), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.threshold(averaged, 0, 255, cv2.THRESH_BINARY)[1], np.uint8)
