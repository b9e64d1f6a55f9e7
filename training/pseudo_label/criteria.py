"""Is a mask good enough to learn from? Four numbers a frame, each with a limit; the worst one is the frame's doubt."""

from dataclasses import asdict, dataclass, fields

import cv2
import numpy as np

from service.imaging.geometry import U8, decide
from service.imaging.stats import MIN_INSTANCE_SHARE
from service.video.over_time.analysis import temporal_iou
from training.pseudo_label.views import Views

LOW, HIGH = 0.2, 0.8
"""A pixel is uncertain where the probability of foreground lies between these."""
SMALLEST_SHARE = 0.01
"""Of the frame; by at least this much the uncertain pixels are divided, so that an empty frame has a number too."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Highest value of each criterion in an accepted frame, all 0..1. The defaults are conservative
    (docs/training/predict.md has the measurement behind them)."""

    uncertain: float = 0.20
    unsure: float = 0.10
    inconsistent: float = 0.15
    jumpy: float = 0.40

    def scaled(self, factor: float) -> "Limits":
        return Limits(**{name: factor * value for name, value in asdict(self).items()})


@dataclass(frozen=True, slots=True)
class Criteria:
    """0 is best in all of them."""

    uncertain: float
    """Pixels with a foreground probability in LOW..HIGH, over all pixels above LOW (at least 1% of the frame)."""
    unsure: float
    """One minus the mean probability of the pixels given to a class; in an empty mask, the highest probability of
    foreground anywhere: nothing was found, and nothing may look nearly like something."""
    inconsistent: float
    """One minus the lowest IoU of the plain view's mask with those of the other views."""
    jumpy: float | None = None
    """One minus the IoU with the more alike of the two neighbours in a video; None where there are none."""

    def doubt(self, limits: Limits) -> float:
        """The largest ratio of a criterion to its limit: up to 1 the frame is accepted."""
        return max(self._ratios(limits).values())

    def worst(self, limits: Limits) -> str:
        """Name of the criterion behind the doubt."""
        ratios = self._ratios(limits)
        return max(ratios, key=lambda name: ratios[name])

    def _ratios(self, limits: Limits) -> dict[str, float]:
        values = {field.name: getattr(self, field.name) for field in fields(limits)}
        return {name: value / getattr(limits, name) for name, value in values.items() if value is not None}


def judge(views: Views, labels: U8, threshold: float) -> Criteria:
    """Criteria of one frame; `labels` uint8 [H, W] decided from the views' mean."""
    foreground = foreground_of(views.mean)
    return Criteria(
        uncertain=round(_uncertain_share(foreground), 6),
        unsure=round(_unsure(views.mean, foreground, labels), 6),
        inconsistent=round(_inconsistent(views, threshold), 6),
    )


def foreground_of(probabilities: U8) -> U8:
    """Probabilities uint8 [C, H, W] -> that of any foreground, uint8 [H, W]; with C > 1, plane 0 is background."""
    return probabilities[0] if probabilities.shape[0] == 1 else np.asarray(255 - probabilities[0], np.uint8)


def disagreement(mask: U8, other: U8) -> float:
    """One minus the IoU of two masks of class ids; two empty masks agree."""
    iou = temporal_iou(mask, other)
    return 0.0 if iou is None else 1 - iou


def _uncertain_share(foreground: U8) -> float:
    low, high = round(255 * LOW), round(255 * HIGH)
    above = int(np.count_nonzero(foreground >= low))
    certain = int(np.count_nonzero(foreground > high))
    return (above - certain) / max(above, SMALLEST_SHARE * foreground.size)


def _unsure(probabilities: U8, foreground: U8, labels: U8) -> float:
    chosen = labels > 0
    if not chosen.any():
        smoothed = cv2.blur(foreground, (5, 5))
        return float(smoothed.max()) / 255
    if probabilities.shape[0] == 1:
        return 1 - float(probabilities[0][chosen].mean()) / 255
    own = np.take_along_axis(probabilities, labels[np.newaxis].astype(np.intp), axis=0)[0]
    return 1 - float(own[chosen].mean()) / 255


def _inconsistent(views: Views, threshold: float) -> float:
    plain, mirrored, shrunk = (
        without_specks(decide(planes, threshold)) for planes in (views.plain, views.mirrored, views.shrunk)
    )
    return max(disagreement(plain, mirrored), disagreement(plain, shrunk))


def without_specks(labels: U8) -> U8:
    """Class ids uint8 [H, W] without connected foreground smaller than an instance (0.05% of the frame)."""
    foreground = np.asarray(labels > 0, np.uint8)
    count, parts, stats, _ = cv2.connectedComponentsWithStats(foreground, connectivity=8)
    small = np.flatnonzero(stats[:, cv2.CC_STAT_AREA] < MIN_INSTANCE_SHARE * labels.size)
    if count > 1 and small.size:
        labels = np.where(np.isin(parts, small), 0, labels).astype(np.uint8)
    return labels
