"""Finds the picture that an annotation names."""

from collections import defaultdict
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from training.datasets.exchange.own import parts

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp")


class Pictures:
    """Pictures under the first of `folders` that exists (the user's own choice, where one was made)."""

    def __init__(self, chosen: str, folders: Sequence[Path]) -> None:
        candidates = [Path(chosen)] if chosen else list(folders)
        self._folder = next((folder for folder in candidates if folder.is_dir()), candidates[0])

    def find(self, *names: str) -> Path:
        """By its path, else by its file name where that is unique; several names are tried in turn.

        A picture that is not there is answered with the path where it should be: reading it names it as missing.
        """
        paths = [self._folder.joinpath(*parts(name)) for name in names]
        found = next((path for path in paths if path.is_file()), None)
        if found is not None:
            return found
        alike = [path for name in names for path in self._by_name.get(parts(name)[-1] if parts(name) else "", [])]
        return alike[0] if len(alike) == 1 else paths[0]

    @cached_property
    def _by_name(self) -> dict[str, list[Path]]:
        listed: dict[str, list[Path]] = defaultdict(list)
        for path in list_pictures(self._folder):
            listed[path.name].append(path)
        return listed


def list_pictures(folder: Path) -> list[Path]:
    """All picture files below `folder`, sorted."""
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
