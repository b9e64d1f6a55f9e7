"""A frame's probabilities -> its mask at the frame's size, and the row that it makes beside the mask before it."""

from dataclasses import dataclass
from typing import Self

import cv2

from service.imaging.geometry import U8, InputSpec, decide, restore
from service.imaging.stats import measure
from service.video.over_time.analysis import temporal_iou
from service.video.rows import FrameRow, row_of


@dataclass(frozen=True, slots=True)
class Mask:
    """Class ids uint8 [H, W], and the part of them outside which all is background: looking at the rest of a 1080p
    frame again and again costs more than what it shows."""

    labels: U8
    top: int
    bottom: int
    left: int
    right: int

    @classmethod
    def of(cls, labels: U8) -> Self:
        left, top, width, height = cv2.boundingRect(labels)
        return cls(labels, top, top + height, left, left + width)

    @property
    def is_empty(self) -> bool:
        return self.top == self.bottom

    @property
    def box(self) -> tuple[slice, slice]:
        """Rows and columns, one pixel at least, as `stats.foreground_box` gives them."""
        return slice(self.top, max(self.bottom, self.top + 1)), slice(self.left, max(self.right, self.left + 1))

    def overlap(self, other: "Mask") -> float | None:
        """Temporal IoU with another mask of the same size, see `analysis.temporal_iou`."""
        shown = [mask for mask in (self, other) if not mask.is_empty]
        if not shown:
            return None
        rows = slice(min(mask.top for mask in shown), max(mask.bottom for mask in shown))
        columns = slice(min(mask.left for mask in shown), max(mask.right for mask in shown))
        return temporal_iou(self.labels[rows, columns], other.labels[rows, columns])


class Measurer:
    """Measures the segmented frames of one segment, in their order."""

    def __init__(self, spec: InputSpec, threshold: float) -> None:
        self._spec = spec
        self._threshold = threshold
        self.mask: Mask | None = None
        """Of the latest frame."""

    def measure(
        self,
        number: int,
        seconds: float,
        probabilities: U8,
        size: tuple[int, int],
        out_of_body: bool | None = None,
    ) -> tuple[FrameRow, Mask]:
        """Row and mask of a frame of height and width `size`."""
        restored = restore(probabilities, self._spec, *size)
        mask = Mask.of(decide(restored, self._threshold))
        stability = self.mask.overlap(mask) if self.mask is not None else None
        self.mask = mask
        return row_of(number, seconds, measure(mask.labels, restored, here=mask.box), stability, out_of_body), mask
