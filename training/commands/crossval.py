"""`crossval`: one preset, every group held out once."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from training.commands.options import DATASETS, RUNS, Data


class Unit(StrEnum):
    GROUP = "group"


def crossval(
    preset: Annotated[str, typer.Argument(help="A shipped preset, or the path of a YAML file.")],
    data_set: Annotated[str, typer.Option(help="The preset's data set whose groups are held out in turn.")],
    data: Data = DATASETS,
    by: Annotated[Unit, typer.Option(help="What is held out as a whole.")] = Unit.GROUP,  # noqa: ARG001 - said aloud
    folds: Annotated[str, typer.Option(help="`leave-one-out` (one fold a group), or a number.")] = "leave-one-out",
    groups: Annotated[str | None, typer.Option(help="Hold out only these: A,B,C; default: all.")] = None,
    folder: Annotated[Path | None, typer.Option(help="Folder of the folds; default runs/crossval-<preset>.")] = None,
    fold: Annotated[str | None, typer.Option(help="Train only this fold, by its name.")] = None,
    evaluate_only: Annotated[bool, typer.Option(help="Train nothing; score the folds that are trained.")] = False,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="key=value: replace a value of the preset; may be repeated.")
    ] = None,
    encoder_weights: Annotated[
        Path | None, typer.Option(help="Local file of ImageNet weights in timm's naming; default: timm's hub.")
    ] = None,
    start_from: Annotated[
        Path | None,
        typer.Option(help="Run or checkpoint that every fold starts from; refused if it has seen a held-out group."),
    ] = None,
    workers: Annotated[int, typer.Option(min=0, help="Processes that load and augment.")] = 1,
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads; default: all of this process.")] = None,
) -> None:
    """Train once a fold with its groups held out, and score each fold by its own model.

    Run it again to go on: trained folds are kept, an interrupted one resumes from its last checkpoint.

    Example: python -m training crossval instruments --by group --data-set endovis2015-rigid --set epochs=10
    """
    from rich.console import Console  # noqa: PLC0415 - help must not wait for imports
    from rich.markdown import Markdown  # noqa: PLC0415

    from training.config import load_preset, with_overrides  # noqa: PLC0415
    from training.datasets.reading import Dataset  # noqa: PLC0415
    from training.fitting.train import RunOptions  # noqa: PLC0415
    from training.studies.crossval import CrossValidation, plan_folds  # noqa: PLC0415
    from training.studies.crossval_report import markdown, write_report  # noqa: PLC0415
    from training.studies.runset import use_threads  # noqa: PLC0415

    use_threads(threads)
    chosen = with_overrides(load_preset(preset), settings or [])
    count = None if folds == "leave-one-out" else _number(folds)
    planned = plan_folds(Dataset(data / data_set), count, chosen.seed, groups.split(",") if groups else None)
    root = folder or RUNS / f"crossval-{chosen.name}"
    options = RunOptions(data, root, encoder_weights or "hub", start_from, workers=workers, threads=threads)
    study = CrossValidation(chosen, data_set, planned, options)
    if not evaluate_only:
        study.train(fold)
    content = write_report(study, study.counts())
    Console(width=140).print(Markdown(markdown(content)))
    typer.echo(f"written: {root / 'crossval.json'}, crossval.md, crossval.png")


def _number(folds: str) -> int:
    if not folds.isdigit():
        raise typer.BadParameter(f"{folds!r} is neither leave-one-out nor a number", param_hint="--folds")
    return int(folds)
