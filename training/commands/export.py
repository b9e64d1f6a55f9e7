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
    precision: Annotated[
        str, typer.Option(help="Files to make, by commas: fp32 (always), int8, fp16. See `quantise --help`.")
    ] = "fp32",
    crossval: Annotated[
        Path | None, typer.Option(help="crossval.json of this preset; its scores go into manifest and card.")
    ] = None,
    started_from: Annotated[
        str | None, typer.Option(help="Run that this one was fine-tuned from, where the checkpoint does not say it.")
    ] = None,
    allow_unmeasured: Annotated[bool, typer.Option(help="Ship FP16 that holds though no GPU is here.")] = False,
) -> None:
    """Export a run as a model package: ONNX, parity, golden outputs, scores, card.

    Example: python -m training export runs/polyps models/polyps/3 --precision fp32,int8
    """
    from dataclasses import replace  # noqa: PLC0415

    from training.commands.quantise import add_all, parse_precisions  # noqa: PLC0415
    from training.export.crossval_scores import read_crossval  # noqa: PLC0415
    from training.export.package import export as write_package  # noqa: PLC0415
    from training.fitting.checkpoints import load_trained, selected_checkpoint  # noqa: PLC0415
    from training.quantise.verdict import Rules  # noqa: PLC0415

    wanted = parse_precisions(precision)
    scores = read_crossval(crossval) if crossval else []
    trained = load_trained(selected_checkpoint(run))
    trained = replace(trained, started_from=started_from or trained.started_from)
    written = write_package(trained, data, package, crossval=scores)
    print_scores(written.manifest.metrics)
    typer.echo(f"written: {package}")
    add_all(package, wanted, trained.preset, data, Rules(allow_unmeasured=allow_unmeasured))
