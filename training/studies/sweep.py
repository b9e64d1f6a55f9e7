"""A grid of settings, each trained alike and told apart by what was watched while training, never by test data."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from training.config import Preset, with_overrides
from training.config.optimisation import better_when
from training.errors import PresetError
from training.fitting.history import CSV_NAME, read_history
from training.fitting.train import RunOptions
from training.studies.runset import PlannedRun, RunSet

_OPEN, _CLOSE = "[{(", "]})"


@dataclass(frozen=True)
class Axis:
    """One setting and the values that it takes, as `--set` would read them."""

    key: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class Trial:
    """One candidate of the sweep; `settings` maps each axis's key to its value."""

    name: str
    settings: dict[str, str]
    preset: Preset


def parse_axis(text: str) -> Axis:
    """`optimiser.name=sgd,adam` or `loss={bce: 1},{dice: 1, bce: 0.5}`: commas inside brackets do not part values."""
    key, equals, rest = text.partition("=")
    values = _split(rest)
    if not equals or not key or not all(values):
        raise PresetError(f"--vary {text!r} is not of the form key=value,value")
    if len(set(values)) != len(values):
        raise PresetError(f"--vary {key} names a value twice: {rest}")
    return Axis(key, tuple(values))


def plan_trials(preset: Preset, axes: Sequence[Axis], *, zipped: bool = False) -> list[Trial]:
    """Every combination, or with `zipped` the first values of all axes, then the second ...

    Raises PresetError when nothing is watched, axes of a zip differ in length, or a combination is no preset.
    """
    if not (preset.validation or preset.holdout):
        raise PresetError(f"{preset.name} watches nothing, so no setting can be called best; use --set holdout=0.2")
    if len({axis.key for axis in axes}) != len(axes):
        raise PresetError("--vary names a setting twice")
    if zipped and len({len(axis.values) for axis in axes}) > 1:
        lengths = ", ".join(f"{axis.key} {len(axis.values)}" for axis in axes)
        raise PresetError(f"--zip needs as many values of each setting, not {lengths}")
    values = [axis.values for axis in axes]
    combinations = zip(*values, strict=True) if zipped else product(*values)
    return [_trial(preset, [axis.key for axis in axes], combination) for combination in combinations]


class Sweep:
    """The trials as a set of runs."""

    def __init__(self, preset: Preset, axes: Sequence[Axis], trials: list[Trial], options: RunOptions) -> None:
        self.preset = preset
        self.axes = list(axes)
        self.trials = trials
        self.runs = RunSet(options.folder, [PlannedRun(trial.name, trial.preset) for trial in trials], options)

    def train(self, *, retry_failed: bool = False) -> None:
        """All trials; one that fails is recorded, and the sweep goes on."""
        self.runs.train(keep_going=True, retry_failed=retry_failed)

    def rows(self, watch: str) -> list[dict[str, Any]]:
        """One row a trial, in the order of the grid; `best` marks the trained one with the best watched value."""
        rows = [self._row(trial, watch) for trial in self.trials]
        ranked = [row for row in rows if row["watched"] is not None]
        if ranked:
            choose = max if better_when(watch) == "max" else min
            choose(ranked, key=lambda row: float(row["watched"]))["best"] = True
        return rows

    def _row(self, trial: Trial, watch: str) -> dict[str, Any]:
        status = self.runs.status(trial.name)
        row: dict[str, Any] = {"name": trial.name, "settings": trial.settings, "state": status.state}
        row |= {"error": status.error, "best": False, "watched": None, "epoch": None, "epochs": None, "history": {}}
        row["train_seconds"] = self.runs.train_seconds(trial.name)
        if status.state == "trained":
            history = read_history(self.runs.run_folder(trial.name) / CSV_NAME)
            chosen = selected_epoch(history, trial.preset)
            values = {
                name: float(text) for name, text in chosen.items() if name.startswith(("train_", "val_")) and text
            }
            if watch not in values:
                raise PresetError(f"{watch} was not watched; the history holds {', '.join(sorted(values))}")
            row |= {"watched": values[watch], "epoch": int(chosen["epoch"]) + 1, "epochs": len(history)}
            row["history"] = values
        return row


def selected_epoch(history: list[dict[str, Any]], preset: Preset) -> dict[str, Any]:
    """The row of the epoch whose weights would be exported."""
    if preset.selection == "last":
        return history[-1]
    return max(history, key=lambda row: float(row["val_dice"]))


def short_value(value: str) -> str:
    """For tables and names: `{bce: 1}` is bce, `{bce: 1, dice: 0.5}` is bce+0.5 dice; anything else is itself."""
    inner = value.strip()
    if not (inner.startswith("{") and inner.endswith("}")):
        return inner
    parts = [part.split(":", 1) for part in _split(inner[1:-1])]
    if not all(len(part) == 2 for part in parts):
        return inner
    pairs = [(name.strip(), amount.strip()) for name, amount in parts]
    return "+".join(name if amount in {"1", "1.0"} else f"{amount} {name}" for name, amount in pairs)


def _trial(preset: Preset, keys: Sequence[str], values: Sequence[str]) -> Trial:
    settings = dict(zip(keys, values, strict=True))
    changed = with_overrides(preset, [f"{key}={value}" for key, value in settings.items()])
    parts = [f"{key.rsplit('.', 1)[-1]}-{short_value(value)}" for key, value in settings.items()]
    return Trial(re.sub(r"[^A-Za-z0-9.+_-]+", "-", "_".join(parts)), settings, changed)


def _split(text: str) -> list[str]:
    """At the commas that lie in no bracket."""
    values, depth, start = [], 0, 0
    for place, letter in enumerate(text):
        depth += (letter in _OPEN) - (letter in _CLOSE)
        if letter == "," and depth == 0:
            values.append(text[start:place].strip())
            start = place + 1
    return [*values, text[start:].strip()]
