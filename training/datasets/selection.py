"""Which frames of a data set a preset takes, and as which of its classes."""

import numpy as np
from numpy.typing import NDArray

from training.config import DataUse, Preset
from training.datasets.index import Sample
from training.datasets.reading import Dataset
from training.errors import PresetError


def select(dataset: Dataset, use: DataUse) -> list[Sample]:
    """Every n-th sample of the split, and of the groups if any are named."""
    samples = [s for s in dataset.split(use.split) if use.groups is None or s.group in use.groups][:: use.every]
    if not samples:
        raise PresetError(f"{use.data}: split {use.split!r} holds no frame of the groups {use.groups}")
    return samples


def merge_table(dataset: Dataset, preset: Preset) -> NDArray[np.uint8]:
    """Class ids of the data set -> those of the preset, uint8 [256]; by name, through the preset's `merge`."""
    ids = {entry.name: i for i, entry in enumerate(preset.classes)}
    table = np.zeros(256, np.uint8)
    for entry in dataset.index.classes:
        name = preset.merge.get(entry.name, entry.name)
        if name not in ids:
            raise PresetError(
                f"{dataset.index.name} has the class {entry.name!r}; preset {preset.name} has {list(ids)}"
            )
        table[entry.id] = ids[name]
    return table
