"""Command line of the training side: `python -m training prepare|train|evaluate|export`."""

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from service.errors import EndomaskError
from service.manifest import Score
from training.errors import TrainingError

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)

DATASETS = Path("datasets")
Data = Annotated[Path, typer.Option("--data", help="Folder of prepared data sets.")]


class SourceName(StrEnum):
    KVASIR_SEG = "kvasir-seg"
    ENDOVIS2015_RIGID = "endovis2015-rigid"
    ENDOVIS2015_ROBOTIC = "endovis2015-robotic"
    GAE_ROBOTIC_GREY = "gae-robotic-grey"
    SYNTHETIC = "synthetic"


@app.command()
def prepare(
    name: SourceName,
    source: Annotated[Path | None, typer.Option(help="Folder of the published files (not for synthetic).")] = None,
    data: Data = DATASETS,
) -> None:
    """Read a published data set and write it in the canonical layout."""
    from training.datasets.base import write_dataset  # noqa: PLC0415 - help must not wait for imports
    from training.datasets.sources import open_source  # noqa: PLC0415

    dataset = write_dataset(open_source(name.value, source), data / name.value)
    splits = ", ".join(f"{split} {len(ids)}" for split, ids in dataset.index.splits.items()) or "no splits"
    typer.echo(f"{data / name.value}: {len(dataset.index.samples)} frames ({splits})")


@app.command()
def train(
    preset: Annotated[str, typer.Argument(help="A shipped preset, or the path of a YAML file.")],
    data: Data = DATASETS,
    run: Annotated[Path | None, typer.Option(help="Folder of checkpoints and history; default runs/<preset>.")] = None,
    encoder_weights: Annotated[
        Path | None, typer.Option(help="Local file of ImageNet weights in timm's naming; default: timm's hub.")
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
    folder = run or Path("runs") / chosen.name
    options = RunOptions(data, folder, encoder_weights or "hub", resume, workers, threads)
    typer.echo(f"done: {run_training(chosen, options)}")


@app.command()
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
    _print_scores(scores)
    same = scores == opened.manifest.metrics
    typer.echo("the same as in manifest.json" if same else "NOT the same as in manifest.json")


@app.command()
def export(
    run: Annotated[Path, typer.Argument(help="Folder of a run, or one checkpoint.")],
    package: Annotated[Path, typer.Argument(help="Folder to write: models/<name>/<version>.")],
    data: Data = DATASETS,
) -> None:
    """Export a run as a model package: ONNX, parity, golden outputs, scores, card."""
    from training.checkpoints import load_trained, selected_checkpoint  # noqa: PLC0415
    from training.export import export as write_package  # noqa: PLC0415

    written = write_package(load_trained(selected_checkpoint(run)), data, package)
    _print_scores(written.manifest.metrics)
    typer.echo(f"written: {package}")


def _print_scores(scores: list[Score]) -> None:
    table = Table("data", "group", "class", "n", "Dice", "Dice pooled", "IoU", "precision", "recall")
    for s in scores:
        numbers = [f"{value:.4f}" for value in (s.dice, s.dice_pooled, s.iou, s.precision, s.recall)]
        table.add_row(s.dataset, s.group, s.class_name, str(s.n), *numbers)
    Console(width=120).print(table)


def main(run: Callable[[], None] = app) -> None:
    """Errors that we foresee are one sentence and exit code 1; anything else keeps its trace."""
    try:
        run()
    except (TrainingError, EndomaskError) as error:
        typer.echo(f"error: {error}", err=True)
        raise SystemExit(1) from error


if __name__ == "__main__":
    main()
