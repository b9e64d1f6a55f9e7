"""`export`: a run becomes a model package."""

from pathlib import Path
from typing import Annotated

import typer

from training.commands.options import DATASETS, Data
from training.commands.scores import print_scores


def export(
    run: Annotated[Path, typer.Argument(help="Folder of a run, or one checkpoint.")],
    package: Annotated[Path, typer.Argument(help="Folder to write: models/<name>/<version>.")],
    data: Data = DATASETS,
) -> None:
    """Export a run as a model package: ONNX, parity, golden outputs, scores, card."""
    from training.checkpoints import load_trained, selected_checkpoint  # noqa: PLC0415
    from training.export import export as write_package  # noqa: PLC0415

    written = write_package(load_trained(selected_checkpoint(run)), data, package)
    print_scores(written.manifest.metrics)
    typer.echo(f"written: {package}")
