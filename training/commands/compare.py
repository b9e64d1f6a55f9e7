"""`compare`: several presets or models on one split."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from training.commands.options import DATASETS, RUNS, Data


def compare(
    candidates: Annotated[
        list[str],
        typer.Argument(
            metavar="PRESET_OR_MODEL...",
            help="Presets (trained), or runs, checkpoints and packages (only scored); NAME=... gives it a name.",
        ),
    ],
    data: Data = DATASETS,
    folder: Annotated[Path | None, typer.Option(help="Folder of runs and report; default runs/compare-FIRST.")] = None,
    metric: Annotated[
        Literal["dice", "iou", "accuracy", "precision", "recall"], typer.Option(help="What ranks the candidates.")
    ] = "dice",
    rounds: Annotated[int, typer.Option(min=1, help="Runs of each net for its time, in turns.")] = 30,
    evaluate_only: Annotated[bool, typer.Option(help="Train nothing; compare what is trained.")] = False,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="key=value: replace a value of every preset; may be repeated.")
    ] = None,
    encoder_weights: Annotated[
        Path | None, typer.Option(help="Local file of ImageNet weights in timm's naming; default: timm's hub.")
    ] = None,
    workers: Annotated[int, typer.Option(min=0, help="Processes that load and augment.")] = 1,
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads; default: all of this process.")] = None,
) -> None:
    """Train presets on the data of the first one, score them with existing models on its test frames, rank them.

    Run it again to go on: trained candidates are kept, an interrupted one resumes from its last checkpoint.

    Example: python -m training compare cholecseg8k_unet cholecseg8k_deeplabv3 --metric iou
    """
    from rich.console import Console  # noqa: PLC0415 - help must not wait for imports

    from training.fitting.train import RunOptions  # noqa: PLC0415
    from training.studies.compare import Comparison, read_candidates  # noqa: PLC0415
    from training.studies.compare_report import print_table, write_report  # noqa: PLC0415
    from training.studies.runset import use_threads  # noqa: PLC0415

    use_threads(threads)
    chosen = read_candidates(candidates, settings or [])
    root = folder or RUNS / f"compare-{chosen[0].name}"
    options = RunOptions(data, root, encoder_weights or "hub", workers=workers, threads=threads)
    study = Comparison(chosen, options)
    failed = [] if evaluate_only else study.train()
    content = write_report(study, study.measure(rounds), metric, failed)
    print_table(content, Console(width=160))
    for sentence in failed:
        typer.echo(f"failed: {sentence}", err=True)
    typer.echo(f"written: {root / 'compare.json'}, compare.md, compare.png, confusion-*.png")
    if failed:
        raise typer.Exit(1)
