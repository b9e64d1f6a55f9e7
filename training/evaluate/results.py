"""What an evaluation was asked for and what it found."""

from dataclasses import dataclass

from training.config import DataUse
from training.evaluate.drops import Drop
from training.evaluate.pictures import Chosen
from training.evaluate.summary import Summary
from training.metrics.bootstrap import RESAMPLES, SEED
from training.metrics.surface import TOLERANCE_SHARE
from training.metrics.thresholds import ThresholdCurve
from training.models import OpenModel


@dataclass(frozen=True)
class Options:
    """All of it stands in report.json."""

    on: DataUse | None = None
    """Another part of a data set than the preset's test sets."""
    max_frames: int | None = None
    """Of each test set, evenly spread."""
    robustness: bool = False
    tolerance: float = TOLERANCE_SHARE
    """Of NSD, as a share of the frame's diagonal."""
    resamples: int = RESAMPLES
    seed: int = SEED


@dataclass(frozen=True)
class SetResult:
    """One test set. `confusion` in pixels, rows the truth."""

    label: str
    use: DataUse
    frames: int
    milliseconds: float
    """Median of one frame: prepare, net, restore, decide; on a machine that may have done other work as well."""
    scores: list[Summary]
    confusion: list[list[int]]
    thresholds: ThresholdCurve | None
    panels: list[Chosen]
    robustness: list[Drop]
    pictures: dict[str, str]


@dataclass(frozen=True)
class ManifestCheck:
    """Whether the scores are those that the package's manifest holds."""

    same: bool
    largest_difference: float | None
    """`None` where the manifest's rows are of other data: then there is nothing to compare."""

    @property
    def sentence(self) -> str:
        if self.same:
            return "the same as in manifest.json"
        if self.largest_difference is None:
            return "NOT the same as in manifest.json: its rows are of other data"
        return f"NOT the same as in manifest.json: they differ by up to {self.largest_difference:.4f}"


@dataclass(frozen=True)
class Evaluation:
    model: OpenModel
    source: str
    options: Options
    sets: list[SetResult]
    manifest: ManifestCheck | None
    """`None` for a checkpoint, and where other frames than the preset's test sets were scored."""
