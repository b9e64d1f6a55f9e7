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
    def today(cls, folder: Path, machine: dict[str, Any], model: str) -> Self:
        """Today's file of this machine: its parts are kept when it is of the same commit, settings and model."""
        path = folder / f"{machine['date'][:10]}-{slug(machine)}.json"
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
            "budgets": [verdict.as_dict() for verdict in judge(self.parts)],
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


def newest(folder: Path) -> Path:
    """The results of a folder that were measured last; raises FileNotFoundError."""
    there = list(folder.glob("*.json"))
    if not there:
        raise FileNotFoundError(f"there are no results in {folder}; ./run bench makes them")
    return max(there, key=_measured_on)


def _measured_on(path: Path) -> str:
    """A file of another format may not tell."""
    return str(json.loads(path.read_text()).get("machine", {}).get("date", ""))


def _comparable(machine: dict[str, Any], model: str) -> tuple[Any, ...]:
    return machine["commit"], machine["settings"], model
