"""Finished videos side by side: how far is one from another, for the model that both were segmented with."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from service.errors import InvalidParameter
from service.video.over_time.analysis import Distribution, Floats, distribution
from service.video.over_time.distances import Distances, measure_distances

FRAME_FEATURES = ("coverage", "confidence")


@dataclass(frozen=True, slots=True)
class Side:
    """A video's columns, float64 [rows]: coverage and confidence of the frame, coverage of each class."""

    id: str
    name: str | None
    """File name as the sender gave it."""
    model: str
    features: dict[str, Floats]

    @property
    def classes(self) -> list[str]:
        return [feature for feature in self.features if feature not in FRAME_FEATURES]


@dataclass(frozen=True, slots=True)
class ComparedClass:
    detection_rate: float
    mean_coverage: float


@dataclass(frozen=True, slots=True)
class ComparedVideo:
    id: str
    name: str | None
    model: str
    """Name/version."""
    frames: int
    """Segmented ones; all rates are of them."""
    frames_without_detection: int
    detection_rate: float
    mean_coverage: float
    mean_confidence: float
    classes: dict[str, ComparedClass]
    features: dict[str, Distribution]


@dataclass(frozen=True, slots=True)
class Shift:
    id: str
    features: dict[str, Distances]
    """By `coverage`, `confidence` and `<class>_coverage`."""


@dataclass(frozen=True, slots=True)
class Comparison:
    reference: str
    """Id of the video that all others are measured from: the first."""
    videos: list[ComparedVideo]
    shifts: list[Shift]
    """Of every video but the first."""


def read_side(table: BinaryIO, video_id: str, name: str | None, model: str) -> Side:
    """From a job's frames.parquet; raises InvalidParameter where it has no row."""
    import pyarrow.parquet as pq  # noqa: PLC0415 (slow to import; a server starts without it)

    parquet = pq.ParquetFile(table)
    names = [key for key in parquet.schema_arrow.names if key in FRAME_FEATURES or key.endswith("_coverage")]
    columns = parquet.read(columns=names)
    if not columns.num_rows:
        raise InvalidParameter(f"video {video_id} has no segmented frame to compare")
    return Side(video_id, name, model, {key: columns[key].to_numpy().astype(np.float64) for key in names})


def compare(sides: Sequence[Side]) -> Comparison:
    """Two sides at least; raises InvalidParameter where they show other classes."""
    first, *others = sides
    for other in others:
        if other.classes != first.classes:
            raise InvalidParameter(
                f"video {other.id} ({other.model}) has {', '.join(other.classes)}, {first.id} ({first.model}) has "
                f"{', '.join(first.classes)}; compare videos of one model"
            )
    return Comparison(first.id, [_describe(side) for side in sides], [_shift(first, other) for other in others])


def _describe(side: Side) -> ComparedVideo:
    coverage = side.features["coverage"]
    return ComparedVideo(
        id=side.id,
        name=side.name,
        model=side.model,
        frames=len(coverage),
        frames_without_detection=int((coverage == 0).sum()),
        detection_rate=_rate(coverage),
        mean_coverage=_mean(coverage),
        mean_confidence=_mean(side.features["confidence"]),
        classes={
            key.removesuffix("_coverage"): ComparedClass(_rate(side.features[key]), _mean(side.features[key]))
            for key in side.classes
        },
        features={key: distribution(values) for key, values in side.features.items()},
    )


def _shift(first: Side, other: Side) -> Shift:
    return Shift(other.id, {key: measure_distances(first.features[key], other.features[key]) for key in first.features})


def _rate(coverage: Floats) -> float:
    return round(float((coverage > 0).mean()), 6)


def _mean(values: Floats) -> float:
    return round(float(values.mean()), 6)
