"""Class colours and outlines, drawn on the YUV planes: no frame is turned into RGB for it."""

from collections.abc import Iterator, Sequence

import cv2
import numpy as np

from service.imaging.geometry import U8
from service.video.planes import Colour, Planes

_FRAME_HEIGHT_PER_OUTLINE_PIXEL = 360


class Annotator:
    """Blends each class's colour over its pixels and draws its edge in full colour."""

    def __init__(self, palette: Sequence[tuple[int, int, int]], opacity: float) -> None:
        self._palette = palette
        self._opacity = opacity
        self._tables: dict[Colour, list[list[U8]]] = {}

    def draw(self, planes: Planes, labels: U8) -> None:
        """Draw class ids uint8 [H, W] on the planes, in place; background is left as it is."""
        tables = self._tables.setdefault(planes.colour, self._blend_tables(planes.colour))
        for class_id, (top, bottom, left, right) in _boxes(labels, len(self._palette)):
            mask = np.asarray(cv2.inRange(labels[top:bottom, left:right], class_id, class_id), np.uint8)
            edge = _edge(mask, labels.shape[0])
            colour = tables[class_id]
            _paint(planes.y[top:bottom, left:right], mask, edge, colour[0])
            # Chroma has half the resolution; the box begins at an even pixel, so halves lie on it.
            halved = (slice(top // 2, (bottom + 1) // 2), slice(left // 2, (right + 1) // 2))
            _paint(planes.u[halved], mask[::2, ::2], _halve(edge), colour[1])
            _paint(planes.v[halved], mask[::2, ::2], _halve(edge), colour[2])

    def _blend_tables(self, colour: Colour) -> list[list[U8]]:
        """For each class and plane the blended value uint8 [256] of each pixel value; the last entry is not used."""
        rgb = np.column_stack([np.array(self._palette, np.float32), np.ones(len(self._palette), np.float32)])
        yuv = rgb @ colour.from_rgb().T
        values = np.arange(256, dtype=np.float32)
        blended = values * (1 - self._opacity) + yuv[:, :, None] * self._opacity
        tables = np.clip(np.rint(blended), 0, 255).astype(np.uint8)
        full = np.clip(np.rint(yuv), 0, 255).astype(np.uint8)
        return [
            [np.concatenate([tables[k, plane], full[k, plane, None]]) for plane in range(3)] for k in range(len(rgb))
        ]


def _paint(plane: U8, mask: U8, edge: U8, table: U8) -> None:
    """Blend where `mask` is, full colour where `edge` is. `table` is 256 blended values and the full colour."""
    blended = cv2.LUT(plane, table[:256])
    cv2.copyTo(blended, np.ascontiguousarray(mask), plane)
    plane[edge > 0] = table[256]


def _edge(mask: U8, frame_height: int) -> U8:
    """Pixels of a mask along its border, uint8 [H, W]; thicker in taller frames, always inside the mask."""
    width = 1 + 2 * max(1, round(frame_height / _FRAME_HEIGHT_PER_OUTLINE_PIXEL))
    inner = cv2.erode(mask, np.ones((width, width), np.uint8), borderType=cv2.BORDER_CONSTANT, borderValue=0)
    return np.asarray(cv2.subtract(mask, inner), np.uint8)


def _halve(edge: U8) -> U8:
    """Half the size; a pixel is set where any of its four is, so that thin lines stay whole."""
    return np.asarray(cv2.dilate(edge, np.ones((2, 2), np.uint8), anchor=(0, 0)), np.uint8)[::2, ::2]


def _boxes(labels: U8, class_count: int) -> Iterator[tuple[int, tuple[int, int, int, int]]]:
    """Each class in the frame with the box top, bottom, left, right around it, beginning at even pixels."""
    for class_id in range(1, class_count):
        left, top, width, height = cv2.boundingRect(cv2.inRange(labels, class_id, class_id))
        if width and height:
            yield class_id, (top - top % 2, top + height, left - left % 2, left + width)
