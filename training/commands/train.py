"""`train`: one preset, one run."""

from pathlib import Path
from typing import Annotated

import typer

from training.commands.options import DATASETS, RUNS, Data


def train(
    preset: Annotated[str, typer.Argument(help="A shipped preset, or the path of a YAML file.")],
    data: Data = DATASETS,
    run: Annotated[Path | None, typer.Option(help="Folder of checkpoints and history; default runs/<preset>.")] = None,
    encoder_weights: Annotated[
        Path | None, typer.Option(help="Local file of ImageNet weights in timm's naming; default: timm's hub.")
    ] = None,
    start_from: Annotated[
        Path | None, typer.Option(help="Run or checkpoint to fine-tune from, instead of ImageNet weights.")
    ] = None,
    resume: Annotated[bool, typer.Option(help="Go on from the run's last checkpoint.")] = False,
    workers: Annotated[int, typer.Option(min=0, help="Processes that load and augment.")] = 1,
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads; default: all of this process.")] = None,
) -> None:
    """Train a preset."""
    from training.config import load_preset  # noqa: PLC0415
    from training.train import RunOptions  # noqa: PLC0415
    from training.train import train as run_training  # noqa: PLC0415

    chosen = load_preset(preset)
    folder = run or RUNS / chosen.name
    options = RunOptions(data, folder, encoder_weights or "hub", start_from, resume, workers, threads)
    typer.echo(f"done: {run_training(chosen, options)}")
