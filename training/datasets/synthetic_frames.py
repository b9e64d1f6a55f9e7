"""The synthetic generator as a data set: its own seeds for training and for scoring, and frames without a tool."""

from collections.abc import Iterator

from training.datasets.published.endovis2015 import CLASSES
from training.datasets.source import SourceDataset, SourceFrame
from training.datasets.synthetic import render_frame

FIRST_SEED = {"train": 100_000, "test": 200_000}
"""Far from the small seeds of tests and examples, which are therefore unseen."""

TOOL_FREE_EVERY = 5
"""Every fifth frame holds no instrument, so that the model learns to find none."""


def read(train_frames: int = 160, test_frames: int = 40) -> SourceDataset:
    """Frames of 640x480; every seed is a scene of its own, and a group."""
    counts = {"train": train_frames, "test": test_frames}
    seeds = {split: range(FIRST_SEED[split], FIRST_SEED[split] + n) for split, n in counts.items()}
    return SourceDataset(
        name="synthetic",
        source="training.datasets.synthetic",
        licence="Apache-2.0, as this project",
        split_unit="scene (seed)",
        classes=CLASSES,
        splits={split: [str(seed) for seed in numbers] for split, numbers in seeds.items()},
        frames=_frames([seed for numbers in seeds.values() for seed in numbers]),
    )


def _frames(seeds: list[int]) -> Iterator[SourceFrame]:
    for seed in seeds:
        frame = render_frame(seed, instruments=0 if seed % TOOL_FREE_EVERY == 0 else None)
        yield SourceFrame(str(seed), str(seed), frame.image, frame.mask)
