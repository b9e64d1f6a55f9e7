"""The full evaluation of a model: every test set, its figures, and a report that people and programs can read."""

from pathlib import Path
from statistics import median

from rich.console import Console
from rich.progress import Progress

from service.manifest.package import Package
from service.manifest.record import Score
from training.config import Preset
from training.datasets.reading import Dataset
from training.errors import PresetError
from training.evaluate.drops import Drops
from training.evaluate.passes import Measured, TestSet, measure
from training.evaluate.pictures import (
    choose_frames,
    draw_confusion,
    draw_drops,
    draw_panels,
    draw_thresholds,
)
from training.evaluate.report import write_report
from training.evaluate.results import Evaluation, ManifestCheck, Options, SetResult
from training.evaluate.rows import FrameRow, write_rows
from training.evaluate.scoring import score_of
from training.evaluate.summary import by_group, summarise
from training.metrics import Counter
from training.models import OpenModel


def evaluate_model(model: OpenModel, source: Path, datasets: Path, out: Path, options: Options) -> Evaluation:
    """Scores `model` on the test sets of its preset (or on `options.on`) and writes the report's folder `out`.

    `source` is where the model was opened from. Raises DatasetError, PresetError.
    """
    preset = model.preset
    _check_classes(model, preset)
    uses = [options.on] if options.on is not None else preset.test
    sets = [TestSet.open(use, preset, Dataset(datasets / use.data), options.max_frames) for use in uses]
    out.mkdir(parents=True, exist_ok=True)
    rows: list[FrameRow] = []
    results, own_scores = [], []
    with Progress(console=Console(stderr=True), transient=True) as progress:
        for index, test_set in enumerate(sets, start=1):
            drops = Drops(options.seed) if options.robustness else None
            found = measure(model, test_set, progress, options.tolerance, drops)
            results.append(_set_result(model, test_set, found, out, f"{index}-{test_set.use.data}", options))
            rows += found.rows
            own_scores += manifest_scores(test_set, found.rows)
    write_rows(rows, out / "frames.csv")
    whole = options.on is None and options.max_frames is None
    check = check_manifest(source, own_scores) if whole else None
    evaluation = Evaluation(model, str(source), options, results, check)
    write_report(evaluation, out)
    return evaluation


def check_manifest(source: Path, scores: list[Score]) -> ManifestCheck | None:
    """`None` for a checkpoint, which has no manifest."""
    if not (source / "manifest.json").is_file():
        return None
    held = Package.read(source).manifest.metrics
    if [_row(score) for score in held] != [_row(score) for score in scores]:
        return ManifestCheck(same=False, largest_difference=None)
    names = ("dice", "dice_pooled", "iou", "precision", "recall")
    gaps = [abs(getattr(a, n) - getattr(b, n)) for a, b in zip(held, scores, strict=True) for n in names]
    return ManifestCheck(same=held == scores, largest_difference=round(max(gaps, default=0.0), 4))


def _check_classes(model: OpenModel, preset: Preset) -> None:
    """Masks of the data are read as the preset's classes, so these must be the model's."""
    own, named = [entry.name for entry in model.classes], [entry.name for entry in preset.classes]
    if own != named:
        raise PresetError(f"{model.label} has the classes {own}; preset {preset.name} has {named}")


def _row(score: Score) -> tuple[str, str, str, int]:
    return score.dataset, score.group, score.class_name, score.n


def manifest_scores(test_set: TestSet, rows: list[FrameRow]) -> list[Score]:
    """The same rows as `training.evaluate.scoring.evaluate` gives, from counts that are there already."""
    groups = {row.group for row in rows}
    single = len(groups) == len({row.frame for row in rows})
    counters: dict[tuple[str, str], Counter] = {}
    for row in rows:
        group = test_set.use.split if single else row.group
        counters.setdefault((group, row.class_name), Counter(1)).add(row.tp, row.fp, row.fn)
    return [score_of(test_set.use.data, group, name, counter) for (group, name), counter in counters.items()]


def _set_result(
    model: OpenModel, test_set: TestSet, found: Measured, out: Path, stem: str, options: Options
) -> SetResult:
    names = [entry.name for entry in model.classes[1:]]
    scores = [
        summary
        for group, rows in by_group(found.rows, test_set.use.split)
        for summary in summarise(rows, group, options.resamples, options.seed, names)
    ]
    chosen = choose_frames(found.rows)
    pictures = {
        "panels": draw_panels(model, test_set, chosen, out / f"{stem}-panels.png"),
        "confusion": draw_confusion(model, test_set, found.confusion, out / f"{stem}-confusion.png"),
    }
    curve = None if found.thresholds is None else found.thresholds.compute()
    if curve is not None:
        pictures["thresholds"] = draw_thresholds(model, test_set, curve, out / f"{stem}-thresholds.png")
    drops = [] if found.drops is None else found.drops.compute(options.resamples, options.seed)
    if drops:
        pictures["robustness"] = draw_drops(model, test_set, drops, out / f"{stem}-robustness.png")
    return SetResult(
        label=test_set.label,
        use=test_set.use,
        frames=len(test_set.samples),
        milliseconds=round(1000 * median(found.seconds), 2),
        scores=scores,
        confusion=found.confusion.tolist(),
        thresholds=curve,
        panels=chosen,
        robustness=drops,
        pictures={name: path.name for name, path in pictures.items()},
    )
