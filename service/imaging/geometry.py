"""Between a frame's pixels and the model's input, and back from its probabilities to the frame.

The same code serves training, evaluation and the service, so what was measured is what runs.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

U8 = npt.NDArray[np.uint8]
Resize = Literal["stretch", "letterbox"]
Filter = Literal["equalise", "smooth"]


@dataclass(frozen=True, slots=True)
class InputSpec:
    """How a model wants its frames: size in pixels, whether the aspect ratio is kept, and filters in their order."""

    height: int
    width: int
    resize: Resize = "stretch"
    filters: tuple[Filter, ...] = ()


@dataclass(frozen=True, slots=True)
class Box:
    """The part of the model's input that the frame covers, in pixels."""

    top: int
    left: int
    height: int
    width: int


def content_box(spec: InputSpec, frame_height: int, frame_width: int) -> Box:
    """Where a frame lies inside the model's input: all of it when stretched, centred when letterboxed."""
    if spec.resize == "stretch":
        return Box(0, 0, spec.height, spec.width)
    scale = min(spec.height / frame_height, spec.width / frame_width)
    height = min(spec.height, max(1, round(frame_height * scale)))
    width = min(spec.width, max(1, round(frame_width * scale)))
    return Box((spec.height - height) // 2, (spec.width - width) // 2, height, width)


def prepare(rgb: U8, spec: InputSpec) -> U8:
    """RGB uint8 [H, W, 3] -> model input uint8 [h, w, 3], area-averaged when shrinking, filtered, black bars when
    letterboxed (which the filters don't see)."""
    box = content_box(spec, rgb.shape[0], rgb.shape[1])
    content = apply_filters(_resize(rgb, box.height, box.width), spec.filters)
    if spec.resize == "stretch":
        return content
    canvas = np.zeros((spec.height, spec.width, 3), np.uint8)
    canvas[box.top : box.top + box.height, box.left : box.left + box.width] = content
    return canvas


def apply_filters(rgb: U8, filters: tuple[Filter, ...]) -> U8:
    """RGB uint8 [h, w, 3] -> the same size, each filter in turn.

    `equalise` spreads the histogram of the luma (Y of YCrCb, BT.601) over 0..255 and leaves the colour difference;
    `smooth` is the 3 x 3 binomial kernel 1-2-1, a Gaussian of sigma 0.85 pixels, mirrored at the border.
    """
    for name in filters:
        rgb = _FILTERS[name](rgb)
    return rgb


def restore(probabilities: U8, spec: InputSpec, frame_height: int, frame_width: int) -> U8:
    """Probabilities uint8 [C, h, w] of the model -> uint8 [C, H, W] at the frame's size, interpolated linearly."""
    box = content_box(spec, frame_height, frame_width)
    planes = probabilities[:, box.top : box.top + box.height, box.left : box.left + box.width]
    restored = np.empty((planes.shape[0], frame_height, frame_width), np.uint8)
    for source, target in zip(planes, restored, strict=True):
        size = (frame_width, frame_height)
        cv2.resize(np.ascontiguousarray(source), size, dst=target, interpolation=cv2.INTER_LINEAR)
    return restored


def decide(probabilities: U8, threshold: float) -> U8:
    """Probabilities uint8 [C, H, W] -> class ids uint8 [H, W].

    C = 1: 1 where the foreground's probability reaches `threshold` (0..1), else 0. C > 1: the most probable class (the
    lower id on a tie), or 0 (background) where even that one stays below `threshold`.
    """
    level = threshold_level(threshold)
    if probabilities.shape[0] == 1:
        return np.asarray(cv2.threshold(probabilities[0], level - 1, 1, cv2.THRESH_BINARY)[1], np.uint8)
    best, labels = probabilities[0].copy(), np.zeros(probabilities.shape[1:], np.uint8)
    for class_id, plane in enumerate(probabilities[1:], start=1):
        np.copyto(labels, class_id, where=plane > best)
        np.maximum(best, plane, out=best)
    labels[best < level] = 0
    return labels


def threshold_level(threshold: float) -> int:
    """Threshold 0..1 -> the smallest uint8 probability that reaches it, at least 1 so that 0 is never foreground."""
    return max(1, int(np.ceil(threshold * 255 - 1e-6)))


def _resize(rgb: U8, height: int, width: int) -> U8:
    if rgb.shape[:2] == (height, width):
        return rgb
    shrinks = height * width < rgb.shape[0] * rgb.shape[1]
    interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(rgb, (width, height), interpolation=interpolation), np.uint8)


def _equalise(rgb: U8) -> U8:
    luma, red, blue = cv2.split(cv2.cvtColor(rgb, cv2.COLOR_RGB2YCrCb))
    return np.asarray(cv2.cvtColor(cv2.merge([cv2.equalizeHist(luma), red, blue]), cv2.COLOR_YCrCb2RGB), np.uint8)


def _smooth(rgb: U8) -> U8:
    return np.asarray(cv2.GaussianBlur(rgb, (3, 3), 0), np.uint8)


_FILTERS: dict[Filter, Callable[[U8], U8]] = {"equalise": _equalise, "smooth": _smooth}
