"""The dated results: one JSON file a day and machine, and the same as tables beside it. Written as the suite goes."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from benchmarks.budgets import judge
from benchmarks.machine import slug
from benchmarks.report import render

FORMAT = 1
"""Grows when an older file can't be read any more."""


@dataclass(slots=True)
class Results:
    """What was measured on one machine on one day. Parts that are measured again replace the earlier ones."""

    path: Path
    machine: dict[str, Any]
    model: str
    parts: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def today(cls, folder: Path, machine: dict[str, Any], model: str, suffix: str = "") -> Self:
        """Today's file of this machine: its parts are kept when it is of the same commit, settings and model. `suffix`
        gives what is measured by a command of its own a file of its own, which the others do not overwrite."""
        path = folder / f"{machine['date'][:10]}-{slug(machine)}{suffix}.json"
        results = cls(path, machine, model)
        if path.exists():
            earlier = read(path)
            if _comparable(earlier["machine"], earlier["model"]) == _comparable(machine, model):
                results.parts = earlier["parts"]
        return results

    def keep(self, part: str, found: dict[str, Any]) -> None:
        """Take a part, whole or as far as it came, and write both files."""
        self.parts[part] = found
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._write(self.path, json.dumps(self.as_dict(), indent=1) + "\n")
        self._write(self.path.with_suffix(".md"), render(self.as_dict()))

    def as_dict(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "machine": self.machine,
            "model": self.model,
            "budgets": [verdict.as_dict() for verdict in judge(self.parts, self.machine["cores"])],
            "parts": self.parts,
        }

    def _write(self, path: Path, text: str) -> None:
        """Whole or not at all."""
        unfinished = path.with_name(f"{path.name}.part")
        unfinished.write_text(text)
        unfinished.rename(path)


def read(path: Path) -> dict[str, Any]:
    """Raises ValueError when the file is of another format."""
    found: dict[str, Any] = json.loads(path.read_text())
    if found.get("format") != FORMAT:
        raise ValueError(f"{path} is of format {found.get('format')}; this suite reads format {FORMAT}")
    return found


def newest(folder: Path, part: str) -> Path:
    """The results of a folder that hold a part and were measured last; raises FileNotFoundError."""
    there = {path: json.loads(path.read_text()) for path in folder.glob("*.json")}
    dates = {path: str(found["machine"]["date"]) for path, found in there.items() if part in found.get("parts", {})}
    if not dates:
        raise FileNotFoundError(f"there are no results with {part} in {folder}; ./run bench {part} makes them")
    return max(dates, key=lambda path: dates[path])


def _comparable(machine: dict[str, Any], model: str) -> tuple[Any, ...]:
    return machine["commit"], machine["settings"], model
