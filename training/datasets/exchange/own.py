"""What every reader of own annotations shares: its entries become a source, with names, ids and groups."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from training.datasets.exchange.grouping import group_names
from training.datasets.index import ClassInfo
from training.datasets.source import SourceDataset, SourceFrame
from training.errors import DatasetError


@dataclass(frozen=True)
class Own:
    """What the user says of the data: its name, its licence, and where a frame's group stands in its name."""

    name: str
    licence: str
    group_from: str | None = None


@dataclass(frozen=True)
class Entry:
    """One annotated frame: its name as the annotations have it, its file, and a function that draws its mask."""

    name: str
    image: Path
    mask: Callable[[], NDArray[np.uint8]]


def to_source(own: Own, origin: Path, classes: list[ClassInfo], entries: Sequence[Entry]) -> SourceDataset:
    """Raises DatasetError when there is no frame, or when a name has no group."""
    if not entries:
        raise DatasetError(f"{origin} names no frame")
    groups, unit = group_names([entry.name for entry in entries], own.group_from)
    return SourceDataset(
        name=own.name,
        source=f"own annotations, {origin.name}",
        licence=own.licence,
        split_unit=unit,
        classes=classes,
        splits={},
        frames=_frames(entries, groups),
        count=len(entries),
    )


def frame_id(name: str) -> str:
    """`video 1/frame_03.jpg` -> `video 1_frame_03`: the name of the canonical files."""
    return "_".join(parts(name.removesuffix(PurePosixPath(name).suffix)))


def parts(name: str) -> tuple[str, ...]:
    """Parts of a path in annotations, which may come from another system; nothing that leads out of a folder."""
    return tuple(p for p in PurePosixPath(name.replace("\\", "/")).parts if p not in ("/", "..", ".") and ":" not in p)


def _frames(entries: Sequence[Entry], groups: Sequence[str]) -> Iterator[SourceFrame]:
    for entry, group in zip(entries, groups, strict=True):
        known = group if group != entry.name else frame_id(entry.name)
        yield SourceFrame(frame_id(entry.name), known, entry.image, entry.mask)
