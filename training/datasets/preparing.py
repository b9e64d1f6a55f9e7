"""From a source to a data set with its report: read, group, split, write, report, refuse."""

import re
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

from training.datasets.exchange import coco, cvat, folders, label_studio
from training.datasets.exchange.grouping import FRAME_UNIT
from training.datasets.exchange.own import Own
from training.datasets.index import INDEX_FILE
from training.datasets.options import parse_options
from training.datasets.readers import open_source
from training.datasets.reading import Dataset
from training.datasets.report import Report, make_report
from training.datasets.report_picture import write_report
from training.datasets.source import SourceDataset, SourceFrame
from training.datasets.splits import split_groups
from training.datasets.writing import write_dataset
from training.errors import DatasetError

FORMATS: dict[str, Callable[..., SourceDataset]] = {
    "folders": folders.read,
    "coco": coco.read,
    "cvat": cvat.read,
    "label-studio": label_studio.read,
}
"""Own annotations: name of the format -> its reader."""

OWNER = "the owner's"
_NAME = re.compile(r"\w[\w.-]*", re.ASCII)

Track = Callable[[str, Iterable[Any], int | None], Iterable[Any]]
"""Passes items on and shows how many are done: what is done, the items, how many there are."""


@dataclass(frozen=True)
class Request:
    """What the user asks for; `licence` and `group_from` belong to formats, `options` to the reader of either kind."""

    reader: str
    source: Path | None
    data: Path
    name: str | None = None
    licence: str | None = None
    group_from: str | None = None
    options: dict[str, str] = field(default_factory=dict)
    shares: dict[str, float] | None = None
    by: Literal["group", "frame"] = "group"
    seed: int = 0
    skip_bad: bool = False
    refuse_duplicates: bool = False

    @property
    def root(self) -> Path:
        """The data set's folder. Raises DatasetError for a name that is missing or would lead elsewhere."""
        if self.name is None and self.reader in FORMATS:
            raise DatasetError(f"{self.reader} needs --name, what the data set is to be called")
        name = self.name or self.reader
        if not _NAME.fullmatch(name):
            raise DatasetError(f"--name {name!r} is no name of a folder: letters, digits, '.', '_' and '-' are")
        return self.data / name


def prepare_dataset(request: Request, track: Track) -> tuple[Dataset, Report]:
    """Writes the data set and its report. Raises DatasetError for bad frames, straddling groups and what is missing.

    Duplicates across splits are refused, where that is asked for, after all has been read: then no index is left.
    """
    root = request.root
    if request.source is not None and root.resolve() in (request.source.resolve(), *request.source.resolve().parents):
        raise DatasetError(f"{request.source} lies in {root}, which would be written anew; choose another --data")
    with _opened(request) as source:
        split = partial(split_groups, shares=request.shares, seed=request.seed) if request.shares else None
        dataset = write_dataset(
            _grouped(source, request),
            root,
            split=split,
            skip_bad=request.skip_bad,
            track=lambda frames: track("writing", frames, source.count),
        )
    report = make_report(dataset, lambda samples: track("measuring", samples, len(dataset.index.samples)))
    write_report(dataset, report, request.seed)
    across = report.duplicates.across_splits
    if request.refuse_duplicates and across.listed:
        (root / INDEX_FILE).unlink()
        listed = "\n".join(f"  {p.frames[0]} ({p.splits[0]}) = {p.frames[1]} ({p.splits[1]})" for p in across.listed)
        raise DatasetError(f"{across.exact + across.near} pairs of duplicates lie across splits:\n{listed}")
    return dataset, report


@contextmanager
def _opened(request: Request) -> Iterator[SourceDataset]:
    if request.reader not in FORMATS:
        if request.group_from or request.licence:
            raise DatasetError(
                f"{request.reader} brings its groups and licence; --group-from and --licence are for own data"
            )
        published = open_source(request.reader, request.source, **request.options)
        yield replace(published, name=request.name or published.name)
        return
    if request.source is None or not request.source.exists():
        raise DatasetError(f"{request.reader} needs --source, where the annotations lie; got {request.source}")
    reader = FORMATS[request.reader]
    own = Own(request.root.name, request.licence or OWNER, request.group_from)
    with _unpacked(request.source) as source:
        yield reader(source, own, **parse_options(reader, request.options))


@contextmanager
def _unpacked(source: Path) -> Iterator[Path]:
    """A ZIP archive's files in a folder that lasts as long as they are read; anything else as it is."""
    if source.suffix.lower() != ".zip":
        yield source
        return
    with tempfile.TemporaryDirectory() as folder:
        try:
            with zipfile.ZipFile(source) as archive:
                archive.extractall(folder)
        except (OSError, zipfile.BadZipFile) as error:
            raise DatasetError(f"{source} is no whole ZIP archive: {error}") from error
        yield Path(folder)


def _grouped(source: SourceDataset, request: Request) -> SourceDataset:
    """By video, patient or folder, as the source has it; by frame only where the user says so."""
    if request.shares and request.by == "group" and source.split_unit == FRAME_UNIT and not source.splits:
        raise DatasetError(
            f"{source.name}: nothing says which frames belong to one video or patient, so that a split could put "
            r"neighbours on both sides; name the group with --group-from '(?P<group>video\d+)_', or say --by frame"
        )
    if request.by == "group" or source.splits:
        return source
    return replace(source, split_unit=FRAME_UNIT, frames=_alone(source.frames))


def _alone(frames: Iterable[SourceFrame]) -> Iterator[SourceFrame]:
    for frame in frames:
        yield replace(frame, group=frame.id)
