"""A tiny data set and preset whose answer a person can see: bright red squares on grey are the instrument."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from training.config import Preset
from training.datasets.index import ClassInfo
from training.datasets.source import SourceDataset, SourceFrame
from training.datasets.writing import write_dataset

CLASSES = [
    ClassInfo(id=0, name="background", colour=(0, 0, 0)),
    ClassInfo(id=1, name="shaft", colour=(10, 20, 30)),
    ClassInfo(id=2, name="tip", colour=(40, 50, 60)),
]


def red_square_frames(count: int, height: int = 48, width: int = 60) -> Iterator[SourceFrame]:
    """Frame i belongs to the group `g<i % 4>`; the upper half of its square is shaft, the lower tip."""
    rng = np.random.default_rng(7)
    for i in range(count):
        image = rng.integers(90, 130, (height, width, 3), dtype=np.uint8)
        mask = np.zeros((height, width), np.uint8)
        y, x = rng.integers(0, height - 20), rng.integers(0, width - 20)
        image[y : y + 20, x : x + 20] = (220, 20, 20)
        mask[y : y + 10, x : x + 20] = 1
        mask[y + 10 : y + 20, x : x + 20] = 2
        yield SourceFrame(f"f{i:02d}", f"g{i % 4}", image, mask)


def write_squares(root: Path) -> Path:
    """Prepared data sets under `root`, with one in it, `squares`: groups g0..g2 train, g3 test."""
    source = SourceDataset(
        name="squares",
        source="made by the test",
        licence="none",
        split_unit="group",
        classes=CLASSES,
        splits={"train": ["g0", "g1", "g2"], "test": ["g3"]},
        frames=red_square_frames(8),
    )
    write_dataset(source, root / "squares")
    return root


def squares_preset() -> Preset:
    return Preset.model_validate(
        {
            "name": "squares",
            "version": 1,
            "classes": [{"name": "background", "colour": "#000000"}, {"name": "instrument", "colour": "#40a0ff"}],
            "merge": {"shaft": "instrument", "tip": "instrument"},
            "input": {"height": 32, "width": 64},
            "train": [{"data": "squares", "split": "train"}],
            "validation": [{"data": "squares", "split": "train", "groups": ["g2"]}],
            "test": [{"data": "squares", "split": "test"}],
            "split_unit": "group",
            "epochs": 2,
            "batch_size": 2,
            "card": {"intended_use": "tests", "limits": "all", "weights_licence": "none", "data_licence": "none"},
        }
    )


def with_changes(preset: Preset, **changes: object) -> Preset:
    """The preset with other values, validated as one read from a file."""
    return Preset.model_validate({**preset.model_dump(mode="json"), **changes})
