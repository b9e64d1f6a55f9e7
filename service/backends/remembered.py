"""The choice that was measured for this model on this machine, kept in the data folder.

What is read back is checked, not trusted: the file must be whole and of this model, machine and settings, and what it
names must open and give the golden masks again. Otherwise everything is measured anew.
"""

import hashlib
import json
import logging
import os
from pathlib import Path
from tempfile import NamedTemporaryFile

from pydantic import BaseModel, ConfigDict, model_validator

from service.backends.candidates import allows
from service.backends.choice import HERE, Bench, Choice, Measured, choose, open_chosen
from service.backends.machine import machine_identity
from service.errors import EndomaskError
from service.manifest.package import Package
from service.settings import Settings

log = logging.getLogger(__name__)

FORMAT = 1
"""Grows when an older version's measurements no longer count."""
_ASKED = {"backend", "provider", "precision", "threads", "max_batch_frames"}


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid")

    model: str
    key: str
    candidates: list[Measured]

    @model_validator(mode="after")
    def _one_is_chosen(self) -> "_Record":
        if sum(line.chosen and line.refused is None for line in self.candidates) != 1:
            raise ValueError("exactly one candidate must be chosen")
        return self

    @property
    def chosen(self) -> Measured:
        return next(line for line in self.candidates if line.chosen)


def remembered_choice(
    package: Package,
    settings: Settings,
    provider: str,
    bench: Bench = HERE,
    machine: dict[str, str] | None = None,
) -> Choice:
    """The remembered choice when it still holds, else a new one, which is then remembered; raises StartError."""
    key = _key(package, settings, provider, machine_identity() if machine is None else machine)
    path = settings.data_dir / "choices" / f"{package.manifest.name}-{package.manifest.version}-{key[:16]}.json"
    if (known := _recall(path, key, package, settings, bench)) is not None:
        return known
    choice = choose(package, settings, provider, bench)
    _keep(path, _Record(model=package.label, key=key, candidates=list(choice.candidates)))
    return choice


def _key(package: Package, settings: Settings, provider: str, machine: dict[str, str]) -> str:
    """Checksum of all that the measurement depends on. The manifest holds the checksums of the model's files."""
    facts = {
        "format": FORMAT,
        "manifest": package.manifest.model_dump(mode="json"),
        "asked": settings.model_dump(mode="json", include=_ASKED),
        "provider": provider,
        "machine": machine,
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _recall(path: Path, key: str, package: Package, settings: Settings, bench: Bench) -> Choice | None:
    try:
        record = _Record.model_validate_json(path.read_bytes())
        _require_ours(record, key, package, settings)
        backend = open_chosen(package, record.chosen, settings.max_batch_frames, bench)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, EndomaskError) as error:
        log.warning("%s: measuring again, since %s does not hold: %s", package.label, path.name, error)
        return None
    return Choice(backend, tuple(record.candidates))


def _require_ours(record: _Record, key: str, package: Package, settings: Settings) -> None:
    """Raise ValueError when the record is of another model, machine or setting: someone changed or moved the file."""
    if (record.model, record.key) != (package.label, key) or not allows(settings, record.chosen):
        raise ValueError("it is of another model, machine or setting")


def _keep(path: Path, record: _Record) -> None:
    """Write at once or not at all. Without a place to write, the next start measures again."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile("w", dir=path.parent, suffix=".part", delete=False) as file:
            file.write(record.model_dump_json(indent=2))
        os.replace(file.name, path)  # noqa: PTH105  # the name is a string
    except OSError as error:
        log.warning("%s: can't remember its backend, the next start measures again: %s", record.model, error)
