"""Writes a canonical data set, frame by frame, and refuses what would make it wrong."""

import shutil
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

import cv2
import numpy as np

from training.datasets.index import FILE_PROBLEM, INDEX_FILE, SIZE_PROBLEM, DatasetIndex, Sample, Skipped
from training.datasets.picture_files import check_ids, read_rgb, write_png
from training.datasets.reading import Dataset
from training.datasets.source import SourceDataset, SourceFrame
from training.datasets.splits import GroupSize, SplitRule, check_groups, measure_groups
from training.errors import DatasetError, MaskSizeError


def write_dataset(
    source: SourceDataset,
    root: Path,
    *,
    split: SplitRule | None = None,
    skip_bad: bool = False,
    track: Callable[[Iterable[SourceFrame]], Iterable[SourceFrame]] = iter,
) -> Dataset:
    """Writes `source` under `root`, in place of what is there. The index comes last: a broken run leaves none.

    `split` makes the splits of a source that has none of its own, from what its groups hold. Bad frames are collected
    over the whole source; then they are refused, all of them named, or with `skip_bad` left out and noted in the index.
    """
    if split is not None and source.splits:
        raise DatasetError(f"{source.name} has splits of its own ({', '.join(source.splits)}); they stay as they are")
    writer = _FrameWriter(root, [c.id for c in source.classes])
    try:
        for frame in track(source.frames):
            writer.add(frame)
    except DatasetError as error:
        raise DatasetError("\n".join([*(bad.said for bad in writer.bad), str(error)])) from error
    if writer.bad and not skip_bad:
        raise DatasetError(_describe(writer.bad))
    _check_samples(writer.samples, writer.bad_groups, source)
    groups = split(writer.groups()) if split is not None else source.splits
    index = DatasetIndex(
        name=source.name,
        source=source.source,
        licence=source.licence,
        split_unit=source.split_unit,
        classes=source.classes,
        samples=writer.samples,
        splits={name: [s.id for s in writer.samples if s.group in set(kept)] for name, kept in groups.items()},
        skipped=writer.bad,
        notes=writer.notes,
    )
    check_groups(source.source, {s.id: s.group for s in index.samples}, index.splits)
    (root / INDEX_FILE).write_text(index.model_dump_json(indent=1))
    return Dataset(root)


class _FrameWriter:
    """Writes frames one by one, and keeps what the index needs: samples, what their groups hold, the bad ones."""

    def __init__(self, root: Path, known: list[int]) -> None:
        self.samples: list[Sample] = []
        self.bad: list[Skipped] = []
        self.bad_groups: set[str] = set()
        self.notes: list[str] = []
        self._classes: list[list[int]] = []
        self._root, self._known = root, known
        (root / INDEX_FILE).unlink(missing_ok=True)
        for folder in ("images", "masks"):
            shutil.rmtree(root / folder, ignore_errors=True)
            (root / folder).mkdir(parents=True)

    def add(self, frame: SourceFrame) -> None:
        try:
            self._write(frame)
        except DatasetError as error:
            problem = SIZE_PROBLEM if isinstance(error, MaskSizeError) else FILE_PROBLEM
            self.bad.append(Skipped(id=frame.id, problem=problem, said=str(error)))
            self.bad_groups.add(frame.group)

    def groups(self) -> list[GroupSize]:
        return measure_groups([sample.group for sample in self.samples], self._classes)

    def _write(self, frame: SourceFrame) -> None:
        suffix = frame.image.suffix.lower() if isinstance(frame.image, Path) else ".png"
        image, mask = f"images/{frame.id}{suffix}", f"masks/{frame.id}.png"
        origin = frame.image if isinstance(frame.image, Path) else self._root / image
        pixels = read_rgb(frame.image) if isinstance(frame.image, Path) else frame.image
        labels = frame.load_mask()
        if pixels.shape[:2] != labels.shape:
            raise MaskSizeError(f"{origin} is {pixels.shape[1]}x{pixels.shape[0]}, its mask {labels.shape[::-1]}")
        classes = check_ids(labels, self._known, origin)
        if isinstance(frame.image, Path):
            shutil.copyfile(frame.image, self._root / image)
        else:
            write_png(self._root / image, np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), dtype=np.uint8))
        write_png(self._root / mask, labels)
        height, width = labels.shape
        self.samples.append(
            Sample(
                id=frame.id,
                image=image,
                mask=mask,
                group=frame.group,
                height=height,
                width=width,
                boxes=list(frame.boxes),
            )
        )
        note = frame.review(labels) if frame.review else None
        self.notes.extend([note] if note else [])
        self._classes.append(classes)


def _describe(bad: list[Skipped]) -> str:
    lines = "\n".join(f"  {entry.id}: {entry.said}" for entry in bad)
    return f"{len(bad)} frames cannot be used; --skip-bad leaves them out:\n{lines}"


def _check_samples(samples: list[Sample], bad_groups: set[str], source: SourceDataset) -> None:
    if not samples:
        raise DatasetError(f"{source.source} holds no frames")
    twice = [sample_id for sample_id, times in Counter(sample.id for sample in samples).items() if times > 1]
    if twice:
        raise DatasetError(f"{source.source} gives the same frame twice: {', '.join(twice[:5])}")
    missing = {g for groups in source.splits.values() for g in groups} - {s.group for s in samples} - bad_groups
    if missing:
        raise DatasetError(f"{source.source} lacks the groups {sorted(missing)[:5]} that its splits name")
