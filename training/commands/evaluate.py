"""`evaluate`: scores of a model on held-out data."""

from pathlib import Path
from typing import Annotated

import typer

from training.commands.options import DATASETS, Data
from training.commands.scores import print_scores


def evaluate(
    package: Annotated[Path, typer.Argument(help="Folder of a model package, e.g. models/polyps/1.")],
    data: Data = DATASETS,
    preset: Annotated[str | None, typer.Option(help="Preset that names the test sets; default: the package's.")] = None,
) -> None:
    """Score a package on its held-out data, with the service's own code."""
    from training.config import load_preset  # noqa: PLC0415
    from training.evaluate import evaluate as score  # noqa: PLC0415
    from training.evaluate import open_package  # noqa: PLC0415

    opened, backend = open_package(package)
    scores = score(backend, opened.manifest, load_preset(preset or opened.manifest.training.preset), data)
    print_scores(scores)
    same = scores == opened.manifest.metrics
    typer.echo("the same as in manifest.json" if same else "NOT the same as in manifest.json")
