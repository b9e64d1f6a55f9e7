"""Frames without an instrument, without tissue and without a mask to draw: drawn ones, and any pictures of the user's.

Every pixel is background, so that a net that trains on them learns to stay silent before and after the operation, and
one that is scored on them shows how much it marks where nothing is. The only class is `background`, which every preset
has: the set can be named in `train` or `test` of any of them.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from training.datasets.exchange.own import frame_id
from training.datasets.exchange.pictures import list_pictures
from training.datasets.index import ClassInfo
from training.datasets.options import Count, Seed
from training.datasets.out_of_body.render import kind_of, render
from training.datasets.picture_files import read_rgb
from training.datasets.published.carve import carve
from training.datasets.source import SourceDataset, SourceFrame
from training.errors import DatasetError

CLASSES = [ClassInfo(id=0, name="background", colour=(0, 0, 0))]
FIRST_SEED = {"train": 300_000, "test": 400_000}

Share = Annotated[float, Field(ge=0, le=1)]


def read(
    source: Path | None = None,
    train_frames: Count = 60,
    test_frames: Count = 30,
    test_share: Share = 0.3,
    seed: Seed = 0,
) -> SourceDataset:
    """Drawn frames (`train_frames`, `test_frames`), and every picture below the folder `source`, where one is given.

    Pictures of one folder are one group, those of `source` itself a group each; `test_share` of the groups, drawn with
    `seed`, are for scoring. Raises DatasetError for a source without pictures, and when nothing is asked for.
    """
    seeds = {split: range(FIRST_SEED[split], FIRST_SEED[split] + n) for split, n in _counts(train_frames, test_frames)}
    pictures = [] if source is None else _pictures(source)
    splits = {split: [str(number) for number in numbers] for split, numbers in seeds.items()}
    for split, groups in _divide({group for group, _, _ in pictures}, test_share, seed).items():
        splits[split] = splits.get(split, []) + groups
    count = sum(map(len, seeds.values())) + len(pictures)
    if count == 0:
        raise DatasetError("out-of-body: no drawn frames and no pictures are asked for; give --source or train_frames")
    return SourceDataset(
        name="out-of-body",
        source="training.datasets.out_of_body" + (f" and the pictures of {source.name}" if source else ""),
        licence="drawn frames: Apache-2.0, as this project" + ("; pictures: their owner's" if pictures else ""),
        split_unit="drawn frame (seed), or folder of pictures",
        classes=CLASSES,
        splits={split: groups for split, groups in splits.items() if groups},
        frames=_frames([number for numbers in seeds.values() for number in numbers], pictures),
        count=count,
    )


def _counts(train_frames: int, test_frames: int) -> Iterator[tuple[str, int]]:
    return ((split, n) for split, n in (("train", train_frames), ("test", test_frames)) if n)


def _pictures(source: Path) -> list[tuple[str, str, Path]]:
    """(group, frame id, file) of every picture below `source`."""
    found = []
    for path in list_pictures(source):
        name = path.relative_to(source)
        group = "_".join(name.parent.parts) or path.stem
        found.append((f"picture_{group}", f"picture_{frame_id(name.as_posix())}", path))
    if not found:
        raise DatasetError(f"{source} holds no pictures")
    return found


def _divide(groups: set[str], test_share: float, seed: int) -> dict[str, list[str]]:
    held = round(test_share * len(groups))
    if held == len(groups):
        return {"test": sorted(groups)}
    train, test = carve(groups, held, seed)
    return {"train": train, "test": test}


def _frames(seeds: Sequence[int], pictures: Sequence[tuple[str, str, Path]]) -> Iterator[SourceFrame]:
    for seed in seeds:
        image = render(seed)
        yield SourceFrame(f"{seed}_{kind_of(seed)}", str(seed), image, np.zeros(image.shape[:2], np.uint8))
    for group, name, path in pictures:
        yield SourceFrame(name, group, path, partial(_nothing, path))


def _nothing(path: Path) -> NDArray[np.uint8]:
    return np.zeros(read_rgb(path).shape[:2], np.uint8)
