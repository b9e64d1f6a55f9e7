"""One side of the comparison: the numbers of its frames, as columns."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from service.video.over_time.analysis import Floats
from training.analyse.masks import MaskFolder
from training.errors import InputError

FEATURES = {
    "coverage": "coverage (% of the frame)",
    "confidence": "confidence",
    "brightness": "brightness",
    "sharpness": "sharpness (log10)",
}
"""Of the service's drift metrics too; names as axes show them."""
_EPSILON = 1e-3


@dataclass(frozen=True)
class Side:
    """What is compared; `features` float64 [frames] by name, those that the table has."""

    name: str
    folder: MaskFolder
    names: list[str]
    features: dict[str, Floats]
    class_coverage: dict[str, Floats]

    @property
    def coverage(self) -> Floats:
        return self.features["coverage"]


def read_side(path: Path, name: str) -> Side:
    """A folder of `predict`, or of the service's results. Raises InputError where there is no table of rows."""
    folder = MaskFolder(path)
    if not folder.rows:
        raise InputError(f"{path} has neither predictions.csv nor frames.csv; compare videos, or folders of `predict`")
    names = [key for key in folder.names() if key in folder.rows]
    rows = [folder.rows[key] for key in names]
    columns = {key: [row.get(key) or "" for row in rows] for key in rows[0]}
    numbers = {key: np.array([float(v) for v in columns[key]]) for key in FEATURES if all(columns.get(key, [""]))}
    classes = {key: np.array([float(v) for v in columns[f"{key}_coverage"]]) for key in folder.class_names}
    return Side(name, folder, names, numbers, classes)


def shown(feature: str, values: Floats) -> Floats:
    """As the figure draws them: coverage in percent, sharpness (a variance) by its order of magnitude."""
    if feature == "coverage":
        return 100 * values
    return np.log10(np.maximum(values, _EPSILON)) if feature == "sharpness" else values
