"""The choice that was measured for this model on this machine, kept in the data folder.

What is read back is checked, not trusted: the file must be whole and of this model, machine and settings, and what it
names must open and give the golden masks again. Otherwise everything is measured anew.
"""

import hashlib
import json
import logging
import os
import threading
from pathlib import Path
from tempfile import NamedTemporaryFile

from pydantic import BaseModel, ConfigDict, model_validator

from service.backends.candidates import allows
from service.backends.choice import BUSY_SHARE, Choice, choose, reopen
from service.backends.cores import available_cores
from service.backends.machine import machine_identity
from service.backends.trial import HERE, Bench, Measured
from service.errors import EndomaskError
from service.manifest.package import Package
from service.settings import Settings

log = logging.getLogger(__name__)

FORMAT = 3
"""Grows when an older version's measurements no longer count."""
QUIET_LOAD_PER_CORE = 0.25
"""Where the machine was busy when measured and is below this now, a second measurement is worth its seconds."""
_MEASURING = threading.Lock()
"""Models load beside each other; two that are measured at once would measure each other."""
_ASKED = {"backend", "provider", "precision", "threads", "max_batch_frames"}


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid")

    model: str
    key: str
    candidates: list[Measured]
    busy_share: float

    @model_validator(mode="after")
    def _one_is_chosen(self) -> "_Record":
        if sum(line.chosen and line.refused is None for line in self.candidates) != 1:
            raise ValueError("exactly one candidate must be chosen")
        if sum(line.chosen_under_load for line in self.candidates) > 1:
            raise ValueError("at most one candidate may be chosen for frames under load")
        return self


def remembered_choice(
    package: Package,
    settings: Settings,
    provider: str,
    bench: Bench = HERE,
    machine: dict[str, str] | None = None,
    lanes: int | None = None,
) -> Choice:
    """The remembered choice when it still holds, else a new one, which is then remembered; raises StartError.

    `lanes` as `choose` takes it.
    """
    key = _key(package, settings, provider, machine_identity() if machine is None else machine, lanes)
    path = settings.data_dir / "choices" / f"{package.manifest.name}-{package.manifest.version}-{key[:16]}.json"
    if (known := _recall(path, key, package, settings, bench)) is not None:
        return known
    with _MEASURING:
        choice = choose(package, settings, provider, bench, lanes)
    lines = list(choice.candidates)
    _keep(path, _Record(model=package.label, key=key, candidates=lines, busy_share=choice.busy_share))
    return choice


def _key(package: Package, settings: Settings, provider: str, machine: dict[str, str], lanes: int | None) -> str:
    """Checksum of all that the measurement depends on. The manifest holds the checksums of the model's files."""
    facts = {
        "format": FORMAT,
        "manifest": package.manifest.model_dump(mode="json"),
        "asked": settings.model_dump(mode="json", include=_ASKED),
        "provider": provider,
        "lanes": lanes,
        "machine": machine,
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _recall(path: Path, key: str, package: Package, settings: Settings, bench: Bench) -> Choice | None:
    try:
        record = _Record.model_validate_json(path.read_bytes())
        _require_ours(record, key, package, settings)
        if record.busy_share > BUSY_SHARE and bench.load_per_core() < QUIET_LOAD_PER_CORE:
            log.info("%s: measuring again, since the machine was busy the last time and is not now", package.label)
            return None
        return reopen(package, tuple(record.candidates), settings, bench, record.busy_share)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, EndomaskError) as error:
        log.warning("%s: measuring again, since %s does not hold: %s", package.label, path.name, error)
        return None


def _require_ours(record: _Record, key: str, package: Package, settings: Settings) -> None:
    """Raise ValueError when the record is of another model, machine or setting: someone changed or moved the file."""
    if (record.model, record.key) != (package.label, key) or not allows(settings, _chosen(record)):
        raise ValueError("it is of another model, machine or setting")
    alone, cores = _chosen(record), settings.threads or available_cores()
    for line in record.candidates:
        same = (line.backend, line.provider, line.precision) == (alone.backend, alone.provider, alone.precision)
        if line.chosen_under_load and not (same and line.lanes * line.threads <= cores):
            raise ValueError("what it chose under load is another model, or more than the cores")


def _chosen(record: _Record) -> Measured:
    return next(line for line in record.candidates if line.chosen)


def _keep(path: Path, record: _Record) -> None:
    """Write at once or not at all. Without a place to write, the next start measures again."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile("w", dir=path.parent, suffix=".part", delete=False) as file:
            file.write(record.model_dump_json(indent=2))
        os.replace(file.name, path)  # noqa: PTH105  # the name is a string
    except OSError as error:
        log.warning("%s: can't remember its backend, the next start measures again: %s", record.model, error)
