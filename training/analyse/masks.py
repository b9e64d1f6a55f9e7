"""Generated masks with their rows: from `predict`, from the service's results, or a plain folder of index PNGs."""

import csv
import json
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from service.imaging.geometry import U8
from service.manifest.entries import ClassEntry
from training.errors import InputError
from training.predict.ledger import CLASSES_FILE, read_mask
from training.predict.source import group_of

Cells = dict[str, str]

ZIP_FILE = "masks.zip"
TABLES = ("predictions.csv", "frames.csv")
_CLASSES = TypeAdapter(list[ClassEntry])


@dataclass(frozen=True)
class NamedMask:
    """One mask, class ids uint8 [H, W]; `group` is the video or series in which it has neighbours."""

    name: str
    group: str
    time_s: float | None
    labels: U8


class MaskFolder:
    """Masks of a folder or a masks.zip, read one at a time in the order of their names."""

    def __init__(self, path: Path) -> None:
        """Raises InputError where there are no masks, or no classes.json beside them."""
        self.path = path
        self._bodies = _find_masks(path)
        if not self._bodies:
            raise InputError(f"{path} holds no masks: no masks/*.png, no {ZIP_FILE}, no *.png")
        self.classes = _read_classes(path)
        self.rows = read_table(path)

    def __len__(self) -> int:
        return len(self._bodies)

    @property
    def class_names(self) -> list[str]:
        """Of the classes but the background."""
        return [entry.name for entry in self.classes[1:]]

    def __iter__(self) -> Iterator[NamedMask]:
        for name in self._bodies:
            yield self.read(name)

    def names(self) -> list[str]:
        return list(self._bodies)

    def read(self, name: str) -> NamedMask:
        labels = read_mask(self._bodies[name](), name)
        if labels.size and int(labels.max()) >= len(self.classes):
            raise InputError(f"mask {name} holds the class id {labels.max()}; {CLASSES_FILE} names {len(self.classes)}")
        row = self.rows.get(name, {})
        time = row.get("time_s", "")
        group = row.get("group") or ("" if self._is_video else group_of(name))
        return NamedMask(name, group, float(time) if time else None, labels)

    @property
    def _is_video(self) -> bool:
        """Names of eight digits are a video's frame indexes."""
        return all(len(name) == 8 and name.isdigit() for name in self._bodies)


def read_table(path: Path) -> dict[str, Cells]:
    """Rows of predictions.csv or frames.csv by mask name; none where there is no table."""
    folder = path if path.is_dir() else path.parent
    for table in TABLES:
        if (folder / table).is_file():
            with (folder / table).open(newline="") as file:
                return {row.get("name") or f"{int(row['index']):08d}": row for row in csv.DictReader(file)}
    return {}


def _find_masks(path: Path) -> dict[str, Callable[[], bytes]]:
    """Mask name -> how to read its PNG."""
    if path.is_dir() and not (path / "masks").is_dir() and (path / ZIP_FILE).is_file():
        path = path / ZIP_FILE
    if path.is_dir():
        inner = path / "masks"
        files = sorted((inner if inner.is_dir() else path).glob("*.png"))
        return {file.stem: file.read_bytes for file in files}
    archive = _open_zip(path)
    names = sorted(name for name in archive.namelist() if name.endswith(".png"))
    return {Path(name).stem: lambda name=name: archive.read(name) for name in names}  # type: ignore[misc]


def _read_classes(path: Path) -> list[ClassEntry]:
    body = _classes_body(path)
    try:
        classes = _CLASSES.validate_json(body)
    except ValidationError as error:
        raise InputError(f"{CLASSES_FILE} of {path} does not hold a list of classes: {error}") from error
    if [entry.id for entry in classes] != list(range(len(classes))):
        raise InputError(f"{CLASSES_FILE} of {path} must name the ids 0, 1, 2 ... in order")
    return classes


def _classes_body(path: Path) -> str:
    folder = path if path.is_dir() else path.parent
    if path.is_dir() and (path / CLASSES_FILE).is_file():
        return (path / CLASSES_FILE).read_text()
    archive = path if not path.is_dir() else path / ZIP_FILE
    if archive.is_file():
        with zipfile.ZipFile(archive) as file:
            if CLASSES_FILE in file.namelist():
                return file.read(CLASSES_FILE).decode()
    raise InputError(
        f"{folder} has no {CLASSES_FILE}, which says what the pixel values mean; write one: "
        + json.dumps([{"id": 0, "name": "background", "colour": "#000000"}])
    )


def _open_zip(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except (OSError, zipfile.BadZipFile) as error:
        raise InputError(f"{path} is no folder of masks and no readable zip of them") from error
