"""The canonical data set on disk, which every reader writes and everything else reads.

<root>/dataset.json     name, licence, source, classes, split unit, samples, splits
<root>/images/<id>.*    the frame as it was published (JPEG bytes are copied, never encoded twice)
<root>/masks/<id>.png   index PNG, one byte a pixel: the value is the class id
"""

import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from training.datasets.splits import GroupSize, SplitRule, check_groups, measure_groups
from training.errors import DatasetError, MaskSizeError

FORMAT = 1
INDEX_FILE = "dataset.json"
SIZE_PROBLEM = "mask of another size"
FILE_PROBLEM = "unreadable or wrong file"

Box = tuple[int, int, int, int]
"""x, y, width, height in pixels of the frame."""


class ClassInfo(BaseModel):
    """One class of the index masks; id 0 is background."""

    model_config = ConfigDict(frozen=True)

    id: int = Field(ge=0, le=255)
    name: str
    colour: tuple[int, int, int]


class Sample(BaseModel):
    """One frame with its mask. Frames of one group (patient, operation, clip) never lie on both sides of a split."""

    model_config = ConfigDict(frozen=True)

    id: str
    image: str
    mask: str
    group: str
    height: int
    width: int
    boxes: list[Box] = []
    """Bounding boxes as published, where a set has them."""


class Skipped(BaseModel):
    """A frame of the source that was left out (`--skip-bad`), and why."""

    model_config = ConfigDict(frozen=True)

    id: str
    problem: str
    said: str


class DatasetIndex(BaseModel):
    """Contents of dataset.json."""

    format: int = FORMAT
    name: str
    source: str
    licence: str
    split_unit: str
    classes: list[ClassInfo]
    samples: list[Sample]
    splits: dict[str, list[str]]
    skipped: list[Skipped] = []
    notes: list[str] = []
    """What the reader found odd and kept all the same."""


@dataclass(frozen=True)
class SourceFrame:
    """What a reader yields: `image` is a file to copy or RGB uint8 [H, W, 3]; `mask` is uint8 [H, W] of class ids.

    A mask given as a function is read when the frame is written; a DatasetError that it raises then spoils this frame
    alone, and the reading goes on, so that all bad files are found in one run.
    """

    id: str
    group: str
    image: Path | NDArray[np.uint8]
    mask: NDArray[np.uint8] | Callable[[], NDArray[np.uint8]]
    boxes: tuple[Box, ...] = ()
    review: Callable[[NDArray[np.uint8]], str | None] | None = None
    """Looks at the mask when it is written; what it says goes into the notes of the index."""

    def load_mask(self) -> NDArray[np.uint8]:
        """Class ids, uint8 [H, W]."""
        return self.mask() if callable(self.mask) else self.mask


@dataclass(frozen=True)
class SourceDataset:
    """A data set as a reader sees it; `splits` maps a split's name to the groups in it; `count` is for progress."""

    name: str
    source: str
    licence: str
    split_unit: str
    classes: list[ClassInfo]
    splits: dict[str, list[str]]
    frames: Iterator[SourceFrame]
    count: int | None = None


class Dataset:
    """Reads a canonical data set."""

    def __init__(self, root: Path) -> None:
        path = root / INDEX_FILE
        if not path.is_file():
            raise DatasetError(f"{root} is no prepared data set: {INDEX_FILE} is missing; run `training prepare` first")
        try:
            self.index = DatasetIndex.model_validate_json(path.read_text())
        except ValidationError as error:
            raise DatasetError(f"{path} does not hold a data set index: {error}") from error
        if self.index.format != FORMAT:
            raise DatasetError(f"{path} has format {self.index.format}; this version reads {FORMAT}")
        self.root = root
        self._by_id = {sample.id: sample for sample in self.index.samples}
        check_groups(str(path), {sample.id: sample.group for sample in self.index.samples}, self.index.splits)

    def split(self, name: str) -> list[Sample]:
        """Samples of one split, or of the whole set for `all`."""
        if name == "all":
            return list(self.index.samples)
        if name not in self.index.splits:
            raise DatasetError(f"{self.root} has no split {name!r}; it has {sorted(self.index.splits)} and 'all'")
        return [self._by_id[sample_id] for sample_id in self.index.splits[name]]

    def image_bytes(self, sample: Sample) -> bytes:
        """The frame's file as it lies on disk."""
        return (self.root / sample.image).read_bytes()

    def image(self, sample: Sample) -> NDArray[np.uint8]:
        """RGB uint8 [H, W, 3]."""
        return read_rgb(self.root / sample.image)

    def mask(self, sample: Sample) -> NDArray[np.uint8]:
        """Class ids, uint8 [H, W]; refuses ids that the index does not name."""
        path = self.root / sample.mask
        mask = read_grey(path)
        known = [c.id for c in self.index.classes]
        _check_ids(mask, known, path)
        return mask


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


def read_rgb(path: Path) -> NDArray[np.uint8]:
    """A picture file as RGB uint8 [H, W, 3]."""
    return np.asarray(cv2.cvtColor(_decode(path, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB), dtype=np.uint8)


def read_grey(path: Path) -> NDArray[np.uint8]:
    """A mask file as uint8 [H, W]. Colour masks whose channels agree (alpha aside) give the one channel."""
    mask = _decode(path, cv2.IMREAD_UNCHANGED)
    if mask.dtype != np.uint8:
        raise DatasetError(f"{path} holds {mask.dtype} pixels; masks have 8 bits")
    if mask.ndim == 3:
        mask = mask[..., 0]
    return np.ascontiguousarray(mask, dtype=np.uint8)


def find_one(candidates: Iterable[Path]) -> Path:
    """The first of `candidates` that exists; raises with all of them named."""
    tried = list(candidates)
    for path in tried:
        if path.is_file():
            return path
    raise DatasetError(f"none of these files exists: {', '.join(str(path) for path in tried)}")


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
        classes = _check_ids(labels, self._known, origin)
        if isinstance(frame.image, Path):
            shutil.copyfile(frame.image, self._root / image)
        else:
            _write_png(self._root / image, np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), dtype=np.uint8))
        _write_png(self._root / mask, labels)
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


def _decode(path: Path, flags: int) -> NDArray[np.integer[Any]]:
    """A picture as OpenCV decodes it. A file that was cut off is refused: decoders fill what is missing with grey."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DatasetError(f"{path} is missing or no readable picture") from error
    if data.startswith(b"\xff\xd8") and data.rfind(b"\xff\xd9") < data.rfind(b"\xff\xda"):
        raise DatasetError(f"{path} is cut off: its JPEG data has no end")
    if data.startswith(b"\x89PNG") and b"IEND" not in data[-1024:]:
        raise DatasetError(f"{path} is cut off: its PNG data has no end")
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), flags) if data else None
    if picture is None:
        raise DatasetError(f"{path} is missing or no readable picture")
    return np.asarray(picture)


def _write_png(path: Path, pixels: NDArray[np.uint8]) -> None:
    if not cv2.imwrite(str(path), pixels):
        raise DatasetError(f"{path} could not be written")


def _check_ids(mask: NDArray[np.uint8], known: list[int], origin: Path) -> list[int]:
    """The class ids in `mask`; raises for those that are not `known`."""
    seen = [int(i) for i in np.flatnonzero(np.bincount(mask.ravel(), minlength=256))]
    unknown = sorted(set(seen) - set(known))
    if unknown:
        raise DatasetError(f"the mask of {origin} holds the class ids {unknown[:5]}; the data set names {known}")
    return seen


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
