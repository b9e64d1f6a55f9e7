"""The canonical data set on disk, which every reader writes and everything else reads.

<root>/dataset.json     name, licence, source, classes, split unit, samples, splits
<root>/images/<id>.*    the frame as it was published (JPEG bytes are copied, never encoded twice)
<root>/masks/<id>.png   index PNG, one byte a pixel: the value is the class id
"""

import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from training.errors import DatasetError

FORMAT = 1
INDEX_FILE = "dataset.json"


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


@dataclass(frozen=True)
class SourceFrame:
    """What a reader yields: `image` is a file to copy or RGB uint8 [H, W, 3]; `mask` is uint8 [H, W] of class ids."""

    id: str
    group: str
    image: Path | NDArray[np.uint8]
    mask: NDArray[np.uint8]


@dataclass(frozen=True)
class SourceDataset:
    """A published data set as a reader sees it; `splits` maps a split's name to the groups in it."""

    name: str
    source: str
    licence: str
    split_unit: str
    classes: list[ClassInfo]
    splits: dict[str, list[str]]
    frames: Iterator[SourceFrame]


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


def write_dataset(source: SourceDataset, root: Path) -> Dataset:
    """Writes `source` under `root`, in place of what is there. The index comes last: a broken run leaves none."""
    (root / INDEX_FILE).unlink(missing_ok=True)
    for folder in ("images", "masks"):
        shutil.rmtree(root / folder, ignore_errors=True)
        (root / folder).mkdir(parents=True)
    known = [c.id for c in source.classes]
    samples = [_write_frame(frame, root, known) for frame in source.frames]
    _check_samples(samples, source)
    index = DatasetIndex(
        name=source.name,
        source=source.source,
        licence=source.licence,
        split_unit=source.split_unit,
        classes=source.classes,
        samples=samples,
        splits={name: [s.id for s in samples if s.group in groups] for name, groups in source.splits.items()},
    )
    (root / INDEX_FILE).write_text(index.model_dump_json(indent=1))
    return Dataset(root)


def read_rgb(path: Path) -> NDArray[np.uint8]:
    """A picture file as RGB uint8 [H, W, 3]."""
    bgr = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if bgr is None:
        raise DatasetError(f"{path} is missing or no readable picture")
    return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), dtype=np.uint8)


def read_grey(path: Path) -> NDArray[np.uint8]:
    """A mask file as uint8 [H, W]. Colour masks whose channels agree (alpha aside) give the one channel."""
    mask = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if mask is None:
        raise DatasetError(f"{path} is missing or no readable picture")
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


def _write_frame(frame: SourceFrame, root: Path, known: list[int]) -> Sample:
    suffix = frame.image.suffix.lower() if isinstance(frame.image, Path) else ".png"
    image, mask = f"images/{frame.id}{suffix}", f"masks/{frame.id}.png"
    origin = frame.image if isinstance(frame.image, Path) else root / image
    pixels = read_rgb(frame.image) if isinstance(frame.image, Path) else frame.image
    if pixels.shape[:2] != frame.mask.shape:
        raise DatasetError(f"{origin} is {pixels.shape[1]}x{pixels.shape[0]}, its mask {frame.mask.shape[::-1]}")
    _check_ids(frame.mask, known, origin)
    if isinstance(frame.image, Path):
        shutil.copyfile(frame.image, root / image)
    else:
        _write_png(root / image, np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), dtype=np.uint8))
    _write_png(root / mask, frame.mask)
    height, width = frame.mask.shape
    return Sample(id=frame.id, image=image, mask=mask, group=frame.group, height=height, width=width)


def _write_png(path: Path, pixels: NDArray[np.uint8]) -> None:
    if not cv2.imwrite(str(path), pixels):
        raise DatasetError(f"{path} could not be written")


def _check_ids(mask: NDArray[np.uint8], known: list[int], origin: Path) -> None:
    seen = np.flatnonzero(np.bincount(mask.ravel(), minlength=256))
    unknown = sorted(set(seen.tolist()) - set(known))
    if unknown:
        raise DatasetError(f"the mask of {origin} holds the class ids {unknown[:5]}; the data set names {known}")


def _check_samples(samples: list[Sample], source: SourceDataset) -> None:
    if not samples:
        raise DatasetError(f"{source.source} holds no frames")
    ids = [sample.id for sample in samples]
    if len(set(ids)) != len(ids):
        raise DatasetError(f"{source.source} gives the same frame twice")
    missing = {g for groups in source.splits.values() for g in groups} - {s.group for s in samples}
    if missing:
        raise DatasetError(f"{source.source} lacks the groups {sorted(missing)[:5]} that its splits name")
