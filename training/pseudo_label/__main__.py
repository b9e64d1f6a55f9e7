"""`python -m training.pseudo_label MODEL DATASET`: how well doubt tells good masks from bad, as JSON."""

import json
from typing import Annotated

import typer
from rich.progress import track

from training.commands.options import DATASETS, Data
from training.commands.predicting import ModelPath


def calibrate(
    model: ModelPath,
    dataset: Annotated[str, typer.Argument(help="A prepared data set with masks, which the model has not seen.")],
    data: Data = DATASETS,
    split: Annotated[str, typer.Option(help="A split of it, or all.")] = "all",
    group: Annotated[list[str] | None, typer.Option(help="Only this group; once for each.")] = None,
    every: Annotated[int, typer.Option(min=1, help="Only every n-th frame.")] = 1,
) -> None:
    """Compare the masks that would be accepted, and those that would not, with the truth.

    Example: python -m training.pseudo_label models/polyps/3 kvasir-seg --split val
    """
    from training.config import DataUse  # noqa: PLC0415 - help must not wait for imports
    from training.datasets.reading import Dataset  # noqa: PLC0415
    from training.datasets.selection import select  # noqa: PLC0415
    from training.models import open_model  # noqa: PLC0415
    from training.pseudo_label.calibration import check, summarise  # noqa: PLC0415
    from training.pseudo_label.criteria import Limits  # noqa: PLC0415

    prepared = Dataset(data / dataset)
    samples = select(prepared, DataUse(data=dataset, split=split, groups=group or None, every=every))
    checked = check(open_model(model), prepared, track(samples, "judging", transient=True), Limits())
    typer.echo(json.dumps(summarise(checked), indent=1))


if __name__ == "__main__":
    typer.run(calibrate)
