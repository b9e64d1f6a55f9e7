"""One row a segmented frame, flat, with the same columns in CSV, JSON lines and Parquet."""

from dataclasses import dataclass
from typing import Any

from service.imaging.stats import FrameStats

_DECIMALS = 6


@dataclass(frozen=True, slots=True)
class ClassColumns:
    """One class in one frame; `confidence` is None where the class is not seen."""

    coverage: float
    centroids: tuple[tuple[float, float], ...]
    """x, y of each instance in frame pixels, the largest first."""
    confidence: float | None

    @property
    def instances(self) -> int:
        return len(self.centroids)


@dataclass(frozen=True, slots=True)
class FrameRow:
    """One segmented frame. `coverage` and confidences are shares 0..1; `temporal_iou` is with the segmented frame
    before, None when neither shows anything or there is none before; `out_of_body` is None unless it was asked for."""

    index: int
    time_s: float
    coverage: float
    detected: bool
    instances: int
    confidence: float
    temporal_iou: float | None
    out_of_body: bool | None
    classes: tuple[ClassColumns, ...]

    def flat(self, class_names: list[str]) -> dict[str, Any]:
        """Column name -> value, in the order of `columns`. What moved is only known beside the row before."""
        record: dict[str, Any] = {
            "index": self.index,
            "time_s": self.time_s,
            "coverage": self.coverage,
            "detected": self.detected,
            "instances": self.instances,
            "confidence": self.confidence,
            "temporal_iou": self.temporal_iou,
            "out_of_body": self.out_of_body,
        }
        for name, entry in zip(class_names, self.classes, strict=True):
            record[f"{name}_coverage"] = entry.coverage
            record[f"{name}_instances"] = entry.instances
            record[f"{name}_confidence"] = entry.confidence
            record[f"{name}_centroids"] = entry.centroids
            record[f"{name}_moved_px"] = None
            record[f"{name}_speed_px_s"] = None
        return record


def columns(class_names: list[str]) -> dict[str, type]:
    """Column name -> type of its values; any float and `out_of_body` may be missing. A list is one of x, y."""
    fixed: dict[str, type] = {
        "index": int,
        "time_s": float,
        "coverage": float,
        "detected": bool,
        "instances": int,
        "confidence": float,
        "temporal_iou": float,
        "out_of_body": bool,
    }
    parts = (
        ("coverage", float),
        ("instances", int),
        ("confidence", float),
        ("centroids", list),
        ("moved_px", float),
        ("speed_px_s", float),
    )
    return fixed | {f"{name}_{part}": kind for name in class_names for part, kind in parts}


def row_of(
    index: int, time_s: float, stats: FrameStats, temporal_iou: float | None, out_of_body: bool | None = None
) -> FrameRow:
    classes = tuple(
        ClassColumns(_round(entry.coverage), tuple(part.centroid for part in entry.instances), _round(entry.confidence))
        for entry in stats.classes
    )
    return FrameRow(
        index=index,
        time_s=_round(time_s),
        coverage=_round(stats.coverage),
        detected=stats.coverage > 0,
        instances=sum(entry.instances for entry in classes),
        confidence=_round(stats.confidence),
        temporal_iou=_round(temporal_iou),
        out_of_body=out_of_body,
        classes=classes,
    )


def _round(value: Any) -> Any:
    return None if value is None else round(value, _DECIMALS)
