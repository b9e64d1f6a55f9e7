"""Several presets or models on one split of the same data: trained alike, scored alike, timed in turns.

The first candidate's data, split, merges and seed are imposed on the others; net, input, loss, optimiser, augmentation
and epochs stay each one's own. A run or package that is there already is only scored, and refused when it has seen
the frames that it would be scored on.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from service.imaging.geometry import InputSpec
from service.manifest.package import Package
from training.config import Preset, load_preset, with_overrides
from training.config.loading import check_preset
from training.errors import PresetError, TrainingError
from training.fitting.checkpoints import LAST, load_trained
from training.fitting.train import RunOptions
from training.models import OpenModel, open_model
from training.studies.complexity import Size, Timing, size_of_net, size_of_onnx, time_in_turns
from training.studies.framecounts import FrameCounts, count_frames, weights_file
from training.studies.leaks import refuse_leaks
from training.studies.runset import PlannedRun, RunSet, checkpoint_preset

Metric = Literal["dice", "iou", "accuracy", "precision", "recall"]
IMPOSED = ("classes", "merge", "train", "validation", "holdout", "test", "split_unit", "seed")


@dataclass(frozen=True)
class Candidate:
    """What one row of the table stands for."""

    name: str
    preset: Preset
    model: Path | None = None
    """Run, checkpoint or package that is there already; None: `preset` is trained."""


@dataclass(frozen=True)
class Measured:
    """Everything about one candidate but its rank."""

    candidate: Candidate
    spec: InputSpec
    """Of the model itself: the preset of a package may have moved on."""
    counts: FrameCounts
    size: Size
    timing: Timing
    train_seconds: float | None
    backend: str


def read_candidates(arguments: Sequence[str], settings: list[str]) -> list[Candidate]:
    """`PRESET`, `MODEL` or `NAME=` and one of these; `settings` (`key=value`) change every preset that is trained.

    Raises PresetError when classes differ, TrainingError when two candidates share a name.
    """
    candidates = [_candidate(argument, settings) for argument in arguments]
    names = [candidate.name for candidate in candidates]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise TrainingError(f"two candidates are called {twice[0]!r}; write NAME={twice[0]} for one of them")
    first = candidates[0].preset
    for candidate in candidates[1:]:
        refuse_other_classes(first, candidate)
    return [_on_the_data_of(first, candidate) for candidate in candidates]


def refuse_other_classes(first: Preset, candidate: Candidate) -> None:
    """Scores of other classes can't be compared, nor can masks of the same classes in another order."""
    wanted, own = ([entry.name for entry in preset.classes] for preset in (first, candidate.preset))
    if own != wanted:
        raise PresetError(f"{candidate.name} has the classes {', '.join(own)}; {first.name} has {', '.join(wanted)}")


class Comparison:
    """Candidates on the test frames of the first one's preset."""

    def __init__(self, candidates: list[Candidate], options: RunOptions) -> None:
        self.candidates = candidates
        self.first = candidates[0].preset
        self.folder = options.folder
        self._datasets = options.datasets
        for candidate in candidates:
            seen = candidate.preset if candidate.model is None else own_preset(candidate.model)
            refuse_leaks(seen, self.first.test, options.datasets, candidate.name)
        planned = [PlannedRun(c.name, c.preset) for c in candidates if c.model is None]
        self.runs = RunSet(options.folder, planned, options)

    def train(self) -> list[str]:
        """Every candidate that is not trained yet; returns a sentence for each that failed, and goes on after it."""
        statuses = self.runs.train(keep_going=True)
        return [f"{status.name}: {status.error}" for status in statuses if status.state == "failed"]

    def measure(self, rounds: int) -> list[Measured]:
        """All candidates that are trained, timed in `rounds` turns. Raises TrainingError when there is none."""
        ready = [c for c in self.candidates if c.model is not None or self.runs.trained(c.name)]
        if not ready:
            raise TrainingError(f"no candidate under {self.folder} is trained")
        paths = [c.model or self.runs.run_folder(c.name) for c in ready]
        models = [open_model(path, preset=self.first) for path in paths]
        counts = [
            count_frames(model, weights_file(path), self.first, self._datasets, self._cache(candidate))
            for candidate, path, model in zip(ready, paths, models, strict=True)
        ]
        timings = time_in_turns([(model.backend, model.spec) for model in models], rounds)
        rows = zip(ready, paths, models, counts, timings, strict=True)
        return [
            Measured(
                candidate,
                model.spec,
                counted,
                _size(path, model),
                timing,
                self._train_seconds(candidate),
                _backend(model),
            )
            for candidate, path, model, counted, timing in rows
        ]

    def _cache(self, candidate: Candidate) -> Path:
        return self.folder / "counts" / f"{candidate.name}.npz"

    def _train_seconds(self, candidate: Candidate) -> float | None:
        if candidate.model is None:
            return self.runs.train_seconds(candidate.name)
        return RunSet(candidate.model.parent, [], self.runs.options).train_seconds(candidate.model.name)


def own_preset(model: Path) -> Preset:
    """The preset that a run, checkpoint or package was trained with. Raises TrainingError, PresetError."""
    if (model / "manifest.json").is_file():
        return load_preset(Package.read(model).manifest.training.preset)
    return checkpoint_preset(weights_file(model))


def _candidate(argument: str, settings: list[str]) -> Candidate:
    name, equals, rest = argument.partition("=")
    target = rest if equals else argument
    path = Path(target)
    if path.suffix == ".ckpt" or (path.is_dir() and ((path / LAST).is_file() or (path / "manifest.json").is_file())):
        return Candidate(name if equals else _model_name(path), own_preset(path), path)
    if path.is_dir():
        raise TrainingError(f"{path} holds neither {LAST} nor manifest.json: no run and no package")
    preset = with_overrides(load_preset(target), settings)
    return Candidate(name if equals else preset.name, preset)


def _model_name(path: Path) -> str:
    """`polyps-3` of models/polyps/3, `polyps` of runs/polyps, `polyps-best` of its best.ckpt."""
    if (path / "manifest.json").is_file() or path.suffix == ".ckpt":
        return f"{path.parent.name}-{path.stem}"
    return path.name


def _on_the_data_of(first: Preset, candidate: Candidate) -> Candidate:
    if candidate.model is not None or candidate.preset is first:
        return candidate
    imposed = first.model_dump(mode="json", include=set(IMPOSED))
    content = candidate.preset.model_dump(mode="json") | imposed
    return Candidate(candidate.name, check_preset(content, f"{candidate.name} on the data of {first.name}"))


def _size(path: Path, model: OpenModel) -> Size:
    weights = weights_file(path)
    return size_of_onnx(weights) if weights.suffix == ".onnx" else size_of_net(load_trained(weights).net, model.spec)


def _backend(model: OpenModel) -> str:
    backend = model.backend
    threads = "1 thread" if backend.threads == 1 else f"{backend.threads} threads"
    return f"{backend.name} {backend.provider} {backend.precision}, {threads}"
