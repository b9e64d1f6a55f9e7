"""`sweep`: a grid of settings of one preset, in one table."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from training.commands.options import DATASETS, RUNS, Data


def sweep(
    preset: Annotated[str, typer.Argument(help="A shipped preset, or the path of a YAML file.")],
    vary: Annotated[
        list[str], typer.Option(help="key=value,value: a setting and what to try; may be repeated for a grid.")
    ],
    data: Data = DATASETS,
    folder: Annotated[Path | None, typer.Option(help="Folder of runs and report; default runs/sweep-PRESET.")] = None,
    zipped: Annotated[
        bool, typer.Option("--zip", help="First values together, then second ones ..., in place of every combination.")
    ] = False,
    watch: Annotated[
        Literal["val_dice", "val_miou", "val_accuracy", "val_loss"], typer.Option(help="What tells the best.")
    ] = "val_dice",
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="key=value: replace a value in every trial; may be repeated.")
    ] = None,
    report_only: Annotated[bool, typer.Option(help="Train nothing; report what is trained.")] = False,
    retry_failed: Annotated[bool, typer.Option(help="Try failed trials once more.")] = False,
    encoder_weights: Annotated[
        Path | None, typer.Option(help="Local file of ImageNet weights in timm's naming; default: timm's hub.")
    ] = None,
    start_from: Annotated[
        Path | None, typer.Option(help="Run or checkpoint that every trial is fine-tuned from.")
    ] = None,
    workers: Annotated[int, typer.Option(min=0, help="Processes that load and augment.")] = 1,
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads; default: all of this process.")] = None,
) -> None:
    """Train a preset with every combination of settings, and mark the best by what was watched, never by test data.

    Run it again to go on: trained trials are kept, an interrupted one resumes, one that diverged stays recorded.

    Example: python -m training sweep ucl_synthetic --vary optimiser.name=sgd,adam --vary "loss={bce: 1},{mse: 1}"
    """
    from rich.console import Console  # noqa: PLC0415 - help must not wait for imports

    from training.config import load_preset, with_overrides  # noqa: PLC0415
    from training.fitting.train import RunOptions  # noqa: PLC0415
    from training.studies.sweep import Sweep, parse_axis, plan_trials  # noqa: PLC0415
    from training.studies.sweep_report import print_table, write_report  # noqa: PLC0415

    chosen = with_overrides(load_preset(preset), settings or [])
    axes = [parse_axis(text) for text in vary]
    trials = plan_trials(chosen, axes, zipped=zipped)
    root = folder or RUNS / f"sweep-{chosen.name}"
    options = RunOptions(data, root, encoder_weights or "hub", start_from, workers=workers, threads=threads)
    study = Sweep(chosen, axes, trials, options)
    if not report_only:
        study.train(retry_failed=retry_failed)
    content = write_report(study, watch)
    print_table(content, Console(width=160))
    typer.echo(f"written: {root / 'sweep.csv'}, sweep.json, sweep.md, sweep.png")
