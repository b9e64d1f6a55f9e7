"""How much Dice a model loses when its frames get worse."""

from dataclasses import dataclass, field

import numpy as np

from service.imaging.geometry import U8
from training.datasets.index import Sample
from training.evaluate.robustness import CORRUPTIONS, SEVERITIES, corrupt
from training.metrics.bootstrap import Interval, Resampling, interval
from training.metrics.confusion import I64, confusion_matrix, outcomes
from training.models import OpenModel


@dataclass(frozen=True)
class Drop:
    """`dice` is the mean over frames and foreground classes; `drop` is that of the clean frames minus `dice`."""

    corruption: str
    severity: int
    dice: Interval
    drop: Interval


@dataclass
class Drops:
    """Gathers the Dice of each frame, clean and under every corruption and severity."""

    seed: int
    clean: list[float] = field(default_factory=list)
    corrupted: list[list[float]] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)

    def update(self, model: OpenModel, image: U8, truth: U8, clean: I64, sample: Sample) -> None:
        """`image` RGB uint8 [H, W, 3], `truth` class ids uint8 [H, W], `clean` the frame's confusion as it is."""
        self.clean.append(mean_dice(clean))
        self.groups.append(sample.group)
        worse = []
        for name, severity in conditions():
            predicted = model.mask(corrupt(image, name, severity, seed=self.seed, frame_id=sample.id))
            worse.append(mean_dice(confusion_matrix(truth, predicted, len(model.classes))))
        self.corrupted.append(worse)

    def compute(self, resamples: int, seed: int) -> list[Drop]:
        """Clean and corrupted frames are drawn together, so that the interval is that of the difference."""
        drawn = Resampling.draw(self.groups, resamples, seed)
        frames = drawn.sums(np.ones(len(self.clean)))
        clean = drawn.sums(np.array(self.clean)) / frames
        columns = np.array(self.corrupted).T
        worse = [drawn.sums(column) / frames for column in columns]
        return [
            Drop(name, severity, interval(values), interval(clean - values))
            for (name, severity), values in zip(conditions(), worse, strict=True)
        ]


def conditions() -> list[tuple[str, int]]:
    return [(name, severity) for name in CORRUPTIONS for severity in SEVERITIES]


def mean_dice(matrix: I64) -> float:
    """Mean over the foreground classes of one frame; 1 for a class that neither truth nor prediction holds."""
    scores = []
    for class_id in range(1, len(matrix)):
        tp, fp, fn, _ = outcomes(matrix, class_id)
        scores.append(2 * tp / (2 * tp + fp + fn) if tp + fp + fn else 1.0)
    return float(np.mean(scores))
