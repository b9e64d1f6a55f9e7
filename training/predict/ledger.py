"""A folder that grows frame by frame and can be taken up again after a break."""

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import numpy as np
from PIL import Image, UnidentifiedImageError

from service.imaging.geometry import U8
from service.imaging.masks import encode_png
from service.manifest.entries import ClassEntry
from training.errors import InputError

Row = dict[str, Any]

SETTINGS_FILE = "settings.json"
CLASSES_FILE = "classes.json"


class Ledger:
    """Rows by frame name, in the order in which they were added, and the index mask of each.

    <folder>/settings.json      what made it: the model, the input, the options
    <folder>/classes.json       ids, names and colours, as in the service's masks.zip
    <folder>/<table>.jsonl      one row a finished frame
    <folder>/masks/<name>.png   index PNG: the value is the class id
    """

    def __init__(self, folder: Path, table: str, settings: dict[str, Any], classes: list[ClassEntry]) -> None:
        """Raises InputError where `folder` was made with other settings."""
        self.folder = folder
        self._masks = folder / "masks"
        self._masks.mkdir(parents=True, exist_ok=True)
        _agree(folder / SETTINGS_FILE, settings)
        _replace(folder / CLASSES_FILE, json.dumps([entry.model_dump() for entry in classes], indent=1).encode())
        self._palette = [entry.rgb for entry in classes]
        self._path = folder / f"{table}.jsonl"
        self.rows = {row["name"]: row for row in read_rows(self._path) if (self._masks / _png(row["name"])).is_file()}

    def __enter__(self) -> Self:
        """What a broken run left half written goes; then rows are appended."""
        lines = "".join(json.dumps(row) + "\n" for row in self.rows.values())
        _replace(self._path, lines.encode())
        self._file = self._path.open("a")
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def add(self, row: Row, labels: U8) -> None:
        """The mask first: a row says that everything of its frame is there."""
        _replace(self._masks / _png(row["name"]), encode_png(labels, self._palette))
        self._file.write(json.dumps(row) + "\n")
        self._file.flush()
        self.rows[row["name"]] = row

    def mask(self, name: str) -> U8:
        """Class ids uint8 [H, W] of a finished frame."""
        return read_mask((self._masks / _png(name)).read_bytes(), name)


def read_rows(path: Path) -> Iterator[Row]:
    """Whole rows of a JSON lines file; a last line that was cut off is left out."""
    if not path.is_file():
        return
    with path.open() as lines:
        for line in lines:
            if line.endswith("\n"):
                yield json.loads(line)


def read_mask(body: bytes, name: str) -> U8:
    """An index PNG's pixel values, uint8 [H, W] (OpenCV would turn its palette into colours). Raises InputError."""
    try:
        with Image.open(io.BytesIO(body)) as picture:
            if picture.mode not in {"P", "L"}:
                raise InputError(f"mask {name} is a {picture.mode} picture; index masks have one byte a pixel")
            return np.array(picture, np.uint8)
    except (UnidentifiedImageError, OSError) as error:
        raise InputError(f"mask {name} is no readable picture") from error


def _agree(path: Path, settings: dict[str, Any]) -> None:
    if not path.is_file():
        _replace(path, json.dumps(settings, indent=1).encode())
        return
    before = json.loads(path.read_text())
    for key in sorted(before.keys() | settings.keys()):
        if before.get(key) != settings.get(key):
            raise InputError(
                f"{path.parent} was made with {key} {before.get(key)!r}, not {settings.get(key)!r}; "
                "take the same again, choose another folder, or remove that one"
            )


def _replace(path: Path, body: bytes) -> None:
    """A reader sees the old file or the new one, never a part."""
    temporary = path.with_name(f"{path.name}.part")
    temporary.write_bytes(body)
    temporary.replace(path)


def _png(name: str) -> str:
    return f"{name}.png"
