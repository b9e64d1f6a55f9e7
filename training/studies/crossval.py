"""Cross-validation by group: every group is scored once, by a model that has not seen it.

In each fold the held-out groups leave all training parts of the data set, and its watched parts too; groups of the data
set that no training part names (a preset's test split) join the first part, so that each fold trains on all the others.
Groups that the preset watches stay watched. Other data sets stay as they are.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from training.config import DataUse, Preset
from training.datasets.reading import Dataset
from training.errors import PresetError
from training.fitting.train import RunOptions
from training.models import open_model
from training.studies.framecounts import FrameCounts, count_frames, weights_file
from training.studies.leaks import refuse_leaks, used_groups
from training.studies.runset import PlannedRun, RunSet, checkpoint_preset


@dataclass(frozen=True)
class Fold:
    name: str
    held_out: tuple[str, ...]


def plan_folds(dataset: Dataset, folds: int | None, seed: int, groups: Sequence[str] | None = None) -> list[Fold]:
    """One fold a group (`folds` None), or `folds` folds of whole groups with about equally many frames.

    Raises PresetError for fewer than two folds, or more folds than groups.
    """
    sizes: dict[str, int] = {}
    for sample in dataset.index.samples:
        sizes[sample.group] = sizes.get(sample.group, 0) + 1
    if unknown := sorted(set(groups or ()) - set(sizes)):
        raise PresetError(f"{dataset.index.name} has no group {unknown[0]!r}; it has {', '.join(sorted(sizes)[:10])}")
    pool = {group: size for group, size in sizes.items() if groups is None or group in groups}
    count = len(pool) if folds is None else folds
    if not 2 <= count <= len(pool):
        raise PresetError(f"{count} folds of {len(pool)} groups in {dataset.index.name}; it takes 2 to {len(pool)}")
    if folds is None:
        return [Fold(_slug(group), (group,)) for group in sorted(pool)]
    return [Fold(f"fold{i + 1}", held) for i, held in enumerate(_balanced(pool, count, seed))]


def fold_preset(preset: Preset, data: str, fold: Fold, datasets: Path) -> Preset:
    """`preset` with the fold's groups taken out of training and watching, and scored in place of its test data.

    Raises PresetError when nothing of the data set is left to train on, or a held-out frame would be.
    """
    held_out = set(fold.held_out)
    scored = [DataUse(data=data, groups=sorted(held_out))]
    parts = {
        "train": _training_parts(preset, data, held_out, datasets),
        "validation": _without(preset.validation, data, held_out, datasets),
        "test": scored,
    }
    content = preset.model_dump(mode="json")
    content |= {name: [use.model_dump(mode="json") for use in uses] for name, uses in parts.items()}
    if not content["validation"] and preset.validation and not preset.holdout and preset.selection == "best":
        raise PresetError(
            f"fold {fold.name} holds out all that {preset.name} watches, so its best epoch can't be told; "
            "use --set selection=last, or --set holdout=0.1"
        )
    made = Preset.model_validate(content)
    refuse_leaks(made, scored, datasets, f"fold {fold.name}")
    return made


class CrossValidation:
    """The folds of one preset over the groups of one of its data sets."""

    def __init__(self, preset: Preset, data: str, folds: list[Fold], options: RunOptions) -> None:
        self.data = data
        self.folds = folds
        self.preset = preset
        self._datasets = options.datasets
        planned = [PlannedRun(fold.name, fold_preset(preset, data, fold, options.datasets)) for fold in folds]
        if options.start_from is not None:
            refuse_start(options.start_from, [DataUse(data=data, groups=_all_held_out(folds))], options.datasets)
        self.runs = RunSet(options.folder, planned, options)

    def train(self, only: str | None = None) -> None:
        """All folds, or one. Raises TrainingError."""
        names = [fold.name for fold in self.folds]
        if only is not None and only not in names:
            raise PresetError(f"no fold {only!r}; there are {', '.join(names)}")
        self.runs.train(None if only is None else [only])

    def counts(self) -> dict[str, FrameCounts]:
        """Of each trained fold's held-out frames, by the fold's own model."""
        found = {}
        for run in self.runs.runs:
            if self.runs.trained(run.name):
                folder = self.runs.run_folder(run.name)
                cache = self.runs.folder / "counts" / f"{run.name}.npz"
                found[run.name] = count_frames(
                    open_model(folder), weights_file(folder), run.preset, self._datasets, cache
                )
        return found


def refuse_start(start: Path, scored: list[DataUse], datasets: Path) -> None:
    """Raises PresetError when the run to start from was trained on what will be scored; reads its checkpoint."""
    checkpoint = start
    if start.is_dir():
        checkpoint = next((p for name in ("last.ckpt", "best.ckpt") if (p := start / name).is_file()), start)
    refuse_leaks(checkpoint_preset(checkpoint), scored, datasets, f"--start-from {start.name}")


def _training_parts(preset: Preset, data: str, held_out: set[str], datasets: Path) -> list[DataUse]:
    own = [use for use in preset.train if use.data == data]
    if not own:
        used = sorted({use.data for use in preset.train})
        raise PresetError(f"{preset.name} trains on no part of {data}; it trains on {', '.join(used)}")
    everything = {sample.group for sample in Dataset(datasets / data).index.samples}
    watched = _groups(preset.validation, data, datasets)
    first = own[0]
    left_over = everything - _groups(own, data, datasets)
    groups = (_groups([first], data, datasets) | left_over) - watched
    widened = first.model_copy(update={"split": "all", "groups": sorted(groups)})
    parts = [widened if use is first else use for use in preset.train]
    kept = _without(parts, data, held_out, datasets)
    if not any(use.data == data for use in kept):
        raise PresetError(f"holding out {', '.join(sorted(held_out))} leaves nothing of {data} to train on")
    return kept


def _without(uses: list[DataUse], data: str, held_out: set[str], datasets: Path) -> list[DataUse]:
    """`uses` without the held-out groups of `data`; a part of which nothing is left is dropped."""
    kept = []
    for use in uses:
        if use.data != data:
            kept.append(use)
        elif groups := _groups([use], data, datasets) - held_out:
            kept.append(use.model_copy(update={"groups": sorted(groups)}))
    return kept


def _groups(uses: list[DataUse], data: str, datasets: Path) -> set[str]:
    """Groups that the parts name, those too of which `every` takes no frame."""
    return used_groups([use.model_copy(update={"every": 1}) for use in uses], data, datasets)


def _balanced(sizes: dict[str, int], count: int, seed: int) -> list[tuple[str, ...]]:
    """The largest group first, each into the fold that holds the fewest frames; ties by chance of `seed`."""
    names = sorted(sizes)
    random.Random(seed).shuffle(names)
    folds: list[list[str]] = [[] for _ in range(count)]
    for name in sorted(names, key=lambda group: -sizes[group]):
        min(folds, key=lambda fold: (sum(sizes[group] for group in fold), len(fold))).append(name)
    return [tuple(sorted(fold)) for fold in folds]


def _all_held_out(folds: list[Fold]) -> list[str]:
    return sorted({group for fold in folds for group in fold.held_out})


def _slug(group: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "-_." else "-" for letter in group)
