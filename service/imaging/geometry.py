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

_MOST_FOR_TWO = 4
"""Shrinking more than this, two linear samples a pixel would lie more than two pixels apart and miss what is between
them; four would above twice of it."""
_SPARE_WHEN_HALVED = 1.5
"""How much larger than asked for a picture stays when it is halved, so that sampling it again does not blur."""


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


def prepare(rgb: U8, spec: InputSpec, frame_size: tuple[int, int] | None = None) -> U8:
    """RGB uint8 [H, W, 3] -> model input uint8 [h, w, 3], averaged when shrinking, filtered, black bars when
    letterboxed (which the filters don't see).

    `frame_size` is the frame's height and width where `rgb` is a reduced picture of it, whose rounded size may have
    another box: `restore` takes the frame's.
    """
    box = content_box(spec, *(frame_size or rgb.shape[:2]))
    content = apply_filters(resize(rgb, box.height, box.width), spec.filters)
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
        cv2.resize(source, (frame_width, frame_height), dst=target, interpolation=cv2.INTER_LINEAR)
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
        won = cv2.threshold(cv2.compare(plane, best, cv2.CMP_GT), 0, class_id, cv2.THRESH_BINARY)[1]
        cv2.max(labels, won, dst=labels)  # ids rise, so that a later winner covers those before it
        cv2.max(best, plane, dst=best)
    reached = cv2.threshold(best, level - 1, 255, cv2.THRESH_BINARY)[1]
    return np.asarray(cv2.bitwise_and(labels, reached), np.uint8)


def select(labels: U8, class_id: int) -> U8:
    """Class ids uint8 [H, W] -> 255 where the class is, else 0."""
    return np.asarray(cv2.inRange(labels, np.array(class_id), np.array(class_id)), np.uint8)


def threshold_level(threshold: float) -> int:
    """Threshold 0..1 -> the smallest uint8 probability that reaches it, at least 1 so that 0 is never foreground."""
    return max(1, int(np.ceil(threshold * 255 - 1e-6)))


def resize(picture: U8, height: int, width: int) -> U8:
    """Picture uint8 [H, W, ...] -> uint8 [height, width, ...], averaged over what each pixel covers when shrinking.

    A picture more than four times as large is halved as long as it stays well above its new size. Then, up to an
    eighth, it is sampled linearly at 2 x 2 or 4 x 4 points of each pixel and those are averaged: on frames up to 1080p
    within 0.3 grey levels of OpenCV's INTER_AREA, of 4K within 0.5 (each halving rounds up), in a third to a tenth of
    its time. What shrinks more and can't be halved goes there.
    """
    if picture.shape[:2] == (height, width):
        return picture
    shrinks = height * width < picture.shape[0] * picture.shape[1]
    ratios = picture.shape[0] / height, picture.shape[1] / width
    if max(ratios) > _MOST_FOR_TWO and min(ratios) >= 2 * _SPARE_WHEN_HALVED and _is_even(picture):
        return resize(_halve(picture), height, width)
    if not shrinks or max(ratios) > 2 * _MOST_FOR_TWO:
        interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        return np.asarray(cv2.resize(picture, (width, height), interpolation=interpolation), np.uint8)
    halvings = 1 if max(ratios) <= _MOST_FOR_TWO else 2
    sampled = np.asarray(
        cv2.resize(picture, (width << halvings, height << halvings), interpolation=cv2.INTER_LINEAR), np.uint8
    )
    for _ in range(halvings):
        sampled = _halve(sampled)
    return sampled


def _is_even(picture: U8) -> bool:
    return not (picture.shape[0] % 2 or picture.shape[1] % 2)


def _halve(picture: U8) -> U8:
    """Each pixel the mean of four; height and width are even."""
    size = picture.shape[1] // 2, picture.shape[0] // 2
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)


def _equalise(rgb: U8) -> U8:
    luma, red, blue = cv2.split(cv2.cvtColor(rgb, cv2.COLOR_RGB2YCrCb))
    return np.asarray(cv2.cvtColor(cv2.merge([cv2.equalizeHist(luma), red, blue]), cv2.COLOR_YCrCb2RGB), np.uint8)


def _smooth(rgb: U8) -> U8:
    return np.asarray(cv2.GaussianBlur(rgb, (3, 3), 0), np.uint8)


_FILTERS: dict[Filter, Callable[[U8], U8]] = {"equalise": _equalise, "smooth": _smooth}
