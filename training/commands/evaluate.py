"""`evaluate`: scores of a model on held-out data."""

from pathlib import Path
from typing import Annotated

import typer

from training.commands.options import DATASETS, RUNS, Data
from training.commands.predicting import Device, ModelPath, Precision
from training.commands.scores import print_drops, print_summaries
from training.errors import TrainingError


def evaluate(
    model: ModelPath,
    data: Data = DATASETS,
    out: Annotated[Path | None, typer.Option(help="Folder to write; default runs/evaluations/LABEL.")] = None,
    preset: Annotated[str | None, typer.Option(help="Preset that names the test sets; default: the model's.")] = None,
    on: Annotated[str | None, typer.Option(help="Another prepared data set than the preset's test sets.")] = None,
    split: Annotated[str | None, typer.Option(help="With --on: a split of it; default all.")] = None,
    group: Annotated[list[str] | None, typer.Option(help="With --on: only this group; may be repeated.")] = None,
    max_frames: Annotated[int | None, typer.Option(min=1, help="Of each test set, evenly spread.")] = None,
    robustness: Annotated[bool, typer.Option("--robustness", help="Score corrupted frames too: 21 more runs.")] = False,
    tolerance: Annotated[float, typer.Option(min=0, max=0.2, help="Of NSD, share of the frame's diagonal.")] = 0.01,
    resamples: Annotated[int, typer.Option(min=100, help="Bootstrap resamples for the intervals.")] = 2000,
    seed: Annotated[int, typer.Option(help="Of resamples and corruptions.")] = 1,
    precision: Precision = "fp32",
    device: Device = "auto",
) -> None:
    """Score a model, and write report.md, report.json, frames.csv and figures.

    A package says also whether its manifest holds the same numbers.

    Example: python -m training evaluate models/polyps/3 --robustness
    """
    if on is None and (split or group):
        raise TrainingError("--split and --group choose frames of the data set that --on names; --on is missing")
    from training.config import DataUse, load_preset  # noqa: PLC0415 - help must not wait for imports
    from training.evaluate.results import Options  # noqa: PLC0415
    from training.evaluate.run import evaluate_model  # noqa: PLC0415
    from training.models import open_model  # noqa: PLC0415

    opened = open_model(model, precision, device, load_preset(preset) if preset else None)
    use = None if on is None else DataUse(data=on, split=split or "all", groups=group or None)
    options = Options(use, max_frames, robustness, tolerance, resamples, seed)
    folder = out or RUNS / "evaluations" / _name(opened.label, on)
    result = evaluate_model(opened, model, data, folder, options)
    for entry in result.sets:
        print_summaries(entry.scores)
        print_drops(entry.robustness)
    if result.manifest is not None:
        typer.echo(result.manifest.sentence)
    typer.echo(f"written: {folder}")


def _name(label: str, on: str | None) -> str:
    """`polyps/3 fp32` on another set -> `polyps-3-fp32-on-SET`."""
    name = label.replace("/", "-").replace(" ", "-")
    return name if on is None else f"{name}-on-{on}"
