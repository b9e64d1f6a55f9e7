"""A set of runs, each resumable: what `compare`, `crossval` and `sweep` share.

<folder>/<run>/               checkpoints and history, as `train` leaves them
<folder>/status/<run>.json    RunStatus: written before and after the run, so that a killed one is known

A run that is trained is not trained again; one that was interrupted goes on from its last checkpoint; one whose
settings are no longer those of its folder is refused. Each run has a status file of its own, so that several processes
can work on different runs of one set.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import torch
from pydantic import BaseModel
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from training.config import Preset
from training.errors import TrainingError
from training.fitting.checkpoints import KEY, LAST
from training.fitting.history import CSV_NAME, read_history
from training.fitting.train import RunOptions, train

FAILURES = (TrainingError, FloatingPointError, torch.OutOfMemoryError)
"""What can be wrong with one run without being wrong with the others: bad settings, divergence, too large a net."""


class RunStatus(BaseModel):
    """Contents of a status file."""

    name: str
    state: Literal["waiting", "running", "trained", "failed"] = "waiting"
    error: str | None = None
    """One sentence, when failed."""
    start_from: str | None = None


@dataclass(frozen=True)
class PlannedRun:
    """One run of the set; `name` is its folder."""

    name: str
    preset: Preset


class RunSet:
    """Trains the planned runs one after another under `folder`; `options` are those of every run but its folder."""

    def __init__(self, folder: Path, runs: Sequence[PlannedRun], options: RunOptions) -> None:
        names = [run.name for run in runs]
        if len(set(names)) != len(names):
            raise TrainingError(f"two runs of one set share a name: {sorted(names)}")
        self.folder = folder
        self.runs = list(runs)
        self.options = options

    def train(
        self, only: Sequence[str] | None = None, *, keep_going: bool = False, retry_failed: bool = True
    ) -> list[RunStatus]:
        """Brings every run (or those in `only`) to its end; returns the status of all.

        With `keep_going` a run that fails is recorded and the next one starts; else its error is raised.
        """
        for run in self.runs:
            self._refuse_other_settings(run)
        progress = _bar()
        chosen = [run for run in self.runs if only is None or run.name in only]
        if not chosen:
            return []
        task = progress.add_task("runs", total=len(chosen))
        for run in chosen:
            if self._wanted(run, retry_failed=retry_failed):
                progress.update(task, description=run.name)
                Console(width=100).print(progress)
                self._train_one(run, keep_going=keep_going)
            progress.advance(task)
        progress.update(task, description="runs")
        Console(width=100).print(progress)
        return [self.status(run.name) for run in self.runs]

    def status(self, name: str) -> RunStatus:
        path = self._status_path(name)
        return RunStatus.model_validate_json(path.read_text()) if path.is_file() else RunStatus(name=name)

    def run_folder(self, name: str) -> Path:
        return self.folder / name

    def trained(self, name: str) -> bool:
        return self.status(name).state == "trained" and (self.run_folder(name) / LAST).is_file()

    def train_seconds(self, name: str) -> float | None:
        """Sum over the epochs; what an interruption lost is not in it."""
        path = self.run_folder(name) / CSV_NAME
        return round(sum(float(row["seconds"]) for row in read_history(path)), 1) if path.is_file() else None

    def _wanted(self, run: PlannedRun, *, retry_failed: bool) -> bool:
        return not self.trained(run.name) and (retry_failed or self.status(run.name).state != "failed")

    def _train_one(self, run: PlannedRun, *, keep_going: bool) -> None:
        folder = self.run_folder(run.name)
        options = replace(self.options, folder=folder, resume=(folder / LAST).is_file())
        self._write(run.name, "running")
        try:
            train(run.preset, options)
        except FAILURES as error:
            self._write(run.name, "failed", str(error))
            if not keep_going:
                raise TrainingError(f"run {run.name}: {error}") from error
            Console(width=100).print(f"[red]{run.name} failed:[/red] {error}")
        else:
            self._write(run.name, "trained")

    def _refuse_other_settings(self, run: PlannedRun) -> None:
        last = self.run_folder(run.name) / LAST
        if not last.is_file():
            return
        changed = differing_fields(checkpoint_preset(last), run.preset)
        before, now = self.status(run.name).start_from, _text(self.options.start_from)
        if before != now:
            changed.append(f"start_from ({before or 'nothing'}, now {now or 'nothing'})")
        if changed:
            raise TrainingError(
                f"{self.run_folder(run.name)} holds a run with other settings ({', '.join(changed)}); "
                "give another folder, or delete this one"
            )

    def _write(self, name: str, state: Literal["running", "trained", "failed"], error: str | None = None) -> None:
        status = RunStatus(name=name, state=state, error=error, start_from=_text(self.options.start_from))
        write_text(self._status_path(name), status.model_dump_json(indent=1))

    def _status_path(self, name: str) -> Path:
        return self.folder / "status" / f"{name}.json"


def use_threads(threads: int | None) -> None:
    """For what PyTorch runs outside of `train`; None is every core that this process may use."""
    torch.set_num_threads(threads or len(os.sched_getaffinity(0)))


def checkpoint_preset(path: Path) -> Preset:
    """The preset that a checkpoint carries, without its weights. Raises TrainingError when it carries none."""
    checkpoint = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    if KEY not in checkpoint:
        raise TrainingError(f"{path} was not written by `training train`")
    return Preset.model_validate(checkpoint[KEY]["preset"])


def differing_fields(one: Preset, other: Preset) -> list[str]:
    """Names of the settings in which two presets differ."""
    return [name for name in Preset.model_fields if getattr(one, name) != getattr(other, name)]


def write_text(path: Path, text: str) -> None:
    """Replaces the file in one step, so that a kill leaves the old or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.fresh")
    fresh.write_text(text)
    fresh.replace(path)


def markdown_table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of a Markdown table; the first row is its head."""
    lines = ["| " + " | ".join(cells) + " |" for cells in rows]
    return [lines[0], "|" + " --- |" * len(rows[0]), *lines[1:]]


def _text(path: Path | None) -> str | None:
    """Names run or checkpoint without the place where it lies."""
    if path is None:
        return None
    return f"{path.parent.name}/{path.name}" if path.suffix == ".ckpt" else path.name


def _bar() -> Progress:
    """Printed between the runs, not live: Lightning's own bar owns the terminal while a run trains."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, TextColumn("left"), TimeRemainingColumn(), auto_refresh=False)
