"""What a prepared data set holds: sizes, classes, splits, duplicates, and what was left out of it."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from training.datasets.duplicates import Fingerprint, Pair, find_pairs, fingerprint
from training.datasets.index import Sample, Skipped
from training.datasets.reading import Dataset

BINS = tuple(i / 100 for i in range(101))
"""Edges of the coverage histograms: steps of 1 % of the frame."""

LISTED_PAIRS = 1000
"""Pairs that a report lists by name for each place; all are counted."""


class ClassReport(BaseModel):
    """`mean_coverage`: share of a frame, mean over the frames that hold the class; `total_coverage`: of all pixels.

    `histogram` counts those frames by coverage, in steps of 1 % (`BINS`).
    """

    id: int
    name: str
    frames: int
    mean_coverage: float
    total_coverage: float
    histogram: list[int]


class PartReport(BaseModel):
    """One split, or all frames."""

    frames: int
    groups: int
    classes: list[ClassReport]


class PairReport(BaseModel):
    """Two frames that are alike; `bits` of 256 differ in their hashes."""

    frames: tuple[str, str]
    splits: tuple[str | None, str | None]
    bits: int


class PairsReport(BaseModel):
    """Pairs of frames of the same pixels, or of near hashes; `listed` holds the first of them."""

    exact: int = 0
    near: int = 0
    listed: list[PairReport] = []


class DuplicatesReport(BaseModel):
    """`across_splits`: a frame of one split is in another too. `across_groups`: in one split (or none), two groups."""

    across_splits: PairsReport
    across_groups: PairsReport
    within_groups: PairsReport


class Report(BaseModel):
    """Contents of report.json."""

    name: str
    source: str
    split_unit: str
    sizes: dict[str, int]
    whole: PartReport
    splits: dict[str, PartReport]
    duplicates: DuplicatesReport
    skipped: dict[str, int]
    skipped_frames: list[Skipped]
    notes: list[str]
    warnings: list[str]


@dataclass(frozen=True)
class _Frame:
    sample: Sample
    split: str | None
    pixels: NDArray[np.int64]
    """Of each class id, [256]."""


def make_report(dataset: Dataset, track: Callable[[Iterable[Sample]], Iterable[Sample]] = iter) -> Report:
    """Reads every frame and mask once."""
    split_of = {sample_id: name for name, ids in dataset.index.splits.items() for sample_id in ids}
    frames: list[_Frame] = []
    prints: list[Fingerprint] = []
    for sample in track(dataset.split("all")):
        pixels = np.bincount(dataset.mask(sample).ravel(), minlength=256)
        frames.append(_Frame(sample, split_of.get(sample.id), pixels))
        prints.append(fingerprint(dataset.image(sample)))
    index = dataset.index
    splits = {name: _part(dataset, [f for f in frames if f.split == name]) for name in index.splits}
    duplicates = _duplicates(frames, find_pairs(prints))
    sizes = Counter(f"{frame.sample.width}x{frame.sample.height}" for frame in frames)
    whole = _part(dataset, frames)
    skipped = dict(Counter(entry.problem for entry in index.skipped))
    return Report(
        name=index.name,
        source=index.source,
        split_unit=index.split_unit,
        sizes=dict(sizes.most_common()),
        whole=whole,
        splits=splits,
        duplicates=duplicates,
        skipped=skipped,
        skipped_frames=index.skipped,
        notes=index.notes,
        warnings=_warnings(whole, splits, duplicates, skipped),
    )


def _part(dataset: Dataset, frames: Sequence[_Frame]) -> PartReport:
    pixels = np.array([frame.pixels for frame in frames], np.int64).reshape(-1, 256)
    coverage = pixels / np.maximum(pixels.sum(axis=1, keepdims=True), 1)
    classes = [
        _class(entry.id, entry.name, coverage[:, entry.id], pixels) for entry in dataset.index.classes if entry.id > 0
    ]
    return PartReport(frames=len(frames), groups=len({frame.sample.group for frame in frames}), classes=classes)


def _class(class_id: int, name: str, coverage: NDArray[np.float64], pixels: NDArray[np.int64]) -> ClassReport:
    held = coverage[coverage > 0]
    return ClassReport(
        id=class_id,
        name=name,
        frames=held.size,
        mean_coverage=round(float(held.mean()), 6) if held.size else 0.0,
        total_coverage=round(float(pixels[:, class_id].sum() / max(pixels.sum(), 1)), 6),
        histogram=np.histogram(held, BINS)[0].tolist(),
    )


def _duplicates(frames: Sequence[_Frame], pairs: Sequence[Pair]) -> DuplicatesReport:
    report = DuplicatesReport(across_splits=PairsReport(), across_groups=PairsReport(), within_groups=PairsReport())
    for pair in sorted(pairs, key=lambda p: (not p.exact, p.bits)):
        first, second = frames[pair.first], frames[pair.second]
        if first.split != second.split and first.split is not None and second.split is not None:
            place = report.across_splits
        elif first.sample.group != second.sample.group:
            place = report.across_groups
        else:
            place = report.within_groups
        place.exact += pair.exact
        place.near += not pair.exact
        if len(place.listed) < LISTED_PAIRS:
            names = (first.sample.id, second.sample.id)
            place.listed.append(PairReport(frames=names, splits=(first.split, second.split), bits=pair.bits))
    return report


def _warnings(
    whole: PartReport, splits: dict[str, PartReport], duplicates: DuplicatesReport, skipped: dict[str, int]
) -> list[str]:
    said = []
    across, apart = duplicates.across_splits, duplicates.across_groups
    if across.listed:
        pair = across.listed[0]
        places = " and ".join(f"{name} ({split})" for name, split in zip(pair.frames, pair.splits, strict=True))
        said.append(f"{_count(across)} lie across splits, e.g. {places}: scores would flatter")
    if apart.listed:
        names = " and ".join(apart.listed[0].frames)
        said.append(f"{_count(apart)} lie in different groups, e.g. {names}: one scene under two names?")
    said += [f"no frame holds the class {c.name}" for c in whole.classes if not c.frames]
    present = {c.id for c in whole.classes if c.frames}
    said += [
        f"the split {name} has no frame of the class {c.name}"
        for name, part in splits.items()
        for c in part.classes
        if c.id in present and not c.frames
    ]
    unused = whole.frames - sum(part.frames for part in splits.values())
    if splits and unused:
        said.append(f"{unused} frames lie in no split")
    if skipped:
        said.append(
            f"{sum(skipped.values())} frames were left out: " + ", ".join(f"{n} {k}" for k, n in skipped.items())
        )
    return said


def _count(pairs: PairsReport) -> str:
    return f"{pairs.exact + pairs.near} pairs of duplicates ({pairs.exact} exact, {pairs.near} near)"
