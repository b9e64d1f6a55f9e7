"""What a mask says in numbers: pixels, coverage, confidence and connected instances of each class."""

from dataclasses import dataclass

import cv2
import numpy as np

from service.imaging.geometry import U8

MIN_INSTANCE_SHARE = 0.0005
"""Connected parts smaller than this share of the frame are specks, not instances."""
_FEW_PARTS = 4


@dataclass(frozen=True, slots=True)
class Instance:
    """A connected part of one class. `bbox` is x, y, width, height and `centroid` x, y, in frame pixels."""

    bbox: tuple[int, int, int, int]
    pixels: int
    centroid: tuple[float, float]

    def moved(self, x: int, y: int) -> "Instance":
        """The same part in the frame that holds its crop at x, y; centroid to a tenth of a pixel."""
        left, top, width, height = self.bbox
        centre = round(self.centroid[0] + x, 1), round(self.centroid[1] + y, 1)
        return Instance((left + x, top + y, width, height), self.pixels, centre)


@dataclass(frozen=True, slots=True)
class ClassStats:
    """One foreground class in one frame. `coverage` is a share of the frame (0..1); `confidence` is the mean
    probability (0..1) of the pixels given to the class, None when there are none."""

    id: int
    pixels: int
    coverage: float
    confidence: float | None
    instances: tuple[Instance, ...]


@dataclass(frozen=True, slots=True)
class FrameStats:
    """A whole frame. `coverage` is the share of pixels that are not background; `confidence` is the mean probability
    (0..1) of the class that each pixel was given, background included."""

    coverage: float
    confidence: float
    classes: tuple[ClassStats, ...]


def measure(labels: U8, probabilities: U8, *, instances: bool = True) -> FrameStats:
    """Class ids uint8 [H, W] and the probabilities uint8 [C, H, W] they were decided from -> numbers.

    C = 1 stands for one foreground class, whose background probability is what is left to 255.
    """
    total = labels.size
    class_count = 2 if probabilities.shape[0] == 1 else probabilities.shape[0]
    histogram = cv2.calcHist([labels], [0], None, [class_count], [0, class_count]).ravel()
    sums = [_probability_sum(labels, probabilities, class_id) for class_id in range(class_count)]
    classes = tuple(
        _class_stats(labels, class_id, int(histogram[class_id]), sums[class_id], instances)
        for class_id in range(1, class_count)
    )
    return FrameStats(
        coverage=sum(entry.pixels for entry in classes) / total, confidence=sum(sums) / (255 * total), classes=classes
    )


def find_instances(labels: U8, class_id: int) -> tuple[Instance, ...]:
    """Eight-connected parts of one class, largest first, specks left out."""
    selected = _select(labels, class_id)
    left, top, width, height = cv2.boundingRect(selected)
    if width == 0:
        return ()
    box = np.ascontiguousarray(selected[top : top + height, left : left + width])
    smallest = max(1, int(MIN_INSTANCE_SHARE * labels.size))
    found = [part.moved(left, top) for part in _parts(box) if part.pixels >= smallest]
    return tuple(sorted(found, key=lambda part: -part.pixels))


def _parts(selected: U8) -> list[Instance]:
    """OpenCV's labels are made in parallel, its statistics are not: a few parts are counted faster one by one."""
    count, parts = cv2.connectedComponents(selected, connectivity=8, ltype=cv2.CV_32S)
    if count - 1 <= _FEW_PARTS:
        return [_count(np.asarray(cv2.inRange(parts, np.array(k), np.array(k)), np.uint8)) for k in range(1, count)]
    _, _, boxes, centroids = cv2.connectedComponentsWithStats(selected, connectivity=8, ltype=cv2.CV_32S)
    return [
        Instance((box[0], box[1], box[2], box[3]), box[4], (centre[0], centre[1]))
        for box, centre in zip(boxes[1:].tolist(), centroids[1:].tolist(), strict=True)
    ]


def _count(part: U8) -> Instance:
    left, top, width, height = cv2.boundingRect(part)
    inside = part[top : top + height, left : left + width]
    scale = 255 * cv2.countNonZero(inside)
    across = float(cv2.reduce(inside, 0, cv2.REDUCE_SUM, dtype=cv2.CV_32S).ravel() @ np.arange(width)) / scale
    down = float(cv2.reduce(inside, 1, cv2.REDUCE_SUM, dtype=cv2.CV_32S).ravel() @ np.arange(height)) / scale
    return Instance((left, top, width, height), scale // 255, (left + across, top + down))


def _select(labels: U8, class_id: int) -> U8:
    """255 where the class is, else 0."""
    return np.asarray(cv2.inRange(labels, np.array(class_id), np.array(class_id)), np.uint8)


def _probability_sum(labels: U8, probabilities: U8, class_id: int) -> float:
    """Sum over the pixels given to a class of that class's probability, 0..255 each."""
    selected = _select(labels, class_id)
    pixels = cv2.countNonZero(selected)
    if pixels == 0:
        return 0.0
    if probabilities.shape[0] > 1:
        return float(cv2.mean(probabilities[class_id], selected)[0]) * pixels
    foreground = float(cv2.mean(probabilities[0], selected)[0]) * pixels
    return foreground if class_id == 1 else 255.0 * pixels - foreground


def _class_stats(labels: U8, class_id: int, pixels: int, probability_sum: float, instances: bool) -> ClassStats:
    return ClassStats(
        id=class_id,
        pixels=pixels,
        coverage=pixels / labels.size,
        confidence=probability_sum / (255 * pixels) if pixels else None,
        instances=find_instances(labels, class_id) if instances and pixels else (),
    )


def sharpness(rgb: U8) -> float:
    """Variance of the Laplacian of the grey picture (Pech-Pacheco et al., 2000), of uint8 [H, W, 3]; blur lowers it."""
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    return float(cv2.Laplacian(grey, cv2.CV_32F).var())


def brightness(rgb: U8) -> float:
    """Mean of all channels as a share of white, 0..1."""
    return float(np.mean(cv2.mean(rgb)[:3])) / 255
