"""`train`: one preset, one run."""

from pathlib import Path
from typing import Annotated

import typer

from training.commands.options import DATASETS, RUNS, Data

_Weights = Annotated[
    str,
    typer.Option(help="Of the encoder: `hub` downloads ImageNet's, `none` is random, else a .pth or .safetensors."),
]


def train(
    preset: Annotated[str, typer.Argument(help="A shipped preset, or the path of a YAML file.")],
    data: Data = DATASETS,
    run: Annotated[Path | None, typer.Option(help="Folder of checkpoints and history; default runs/<preset>.")] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="Replace a value of the preset (dotted key, YAML); any number."
        ),
    ] = None,
    encoder_weights: _Weights = "hub",
    start_from: Annotated[
        Path | None, typer.Option(help="Run or checkpoint to fine-tune from, instead of ImageNet weights.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on after the run's last finished epoch.")] = False,
    test: Annotated[bool, typer.Option("--test", help="Score the test sets when the run ends (test.json).")] = False,
    tensorboard: Annotated[bool, typer.Option("--tensorboard", help="Log for TensorBoard too.")] = False,
    accelerator: Annotated[str, typer.Option(help="auto, cpu, gpu ...")] = "auto",
    devices: Annotated[str, typer.Option(help="How many devices train together, or `auto` for all.")] = "1",
    workers: Annotated[int, typer.Option(min=0, help="Processes that load and augment.")] = 1,
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads; default: all of this process.")] = None,
) -> None:
    """Train a preset: checkpoints, history.csv, history.png and predictions.png under the run's folder.

    Example: python -m training train kvasir_seg --set epochs=30 --set net.encoder=efficientnet-b4 --test
    """
    from training.config import load_preset, with_overrides  # noqa: PLC0415
    from training.fitting.train import RunOptions  # noqa: PLC0415
    from training.fitting.train import train as run_training  # noqa: PLC0415

    chosen = with_overrides(load_preset(preset), settings or [])
    options = RunOptions(
        data,
        run or RUNS / chosen.name,
        _weights(encoder_weights),
        start_from,
        resume,
        workers,
        threads,
        accelerator,
        int(devices) if devices.isdigit() else devices,
        tensorboard,
        test,
    )
    run_training(chosen, options)


def _weights(given: str) -> Path | str | None:
    """`hub`, None for `none`, else a file."""
    if given == "none":
        return None
    return given if given == "hub" else Path(given)
