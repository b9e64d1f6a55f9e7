"""`prepare`: published data into the canonical layout."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from training.commands.options import DATASETS, Data


class SourceName(StrEnum):
    KVASIR_SEG = "kvasir-seg"
    KVASIR_INSTRUMENT = "kvasir-instrument"
    SAR_RARP50 = "sar-rarp50"
    UCL_SYNTHETIC = "ucl-synthetic"
    CHOLECSEG8K = "cholecseg8k"
    ENDOVIS2015_RIGID = "endovis2015-rigid"
    ENDOVIS2015_ROBOTIC = "endovis2015-robotic"
    GAE_ROBOTIC_GREY = "gae-robotic-grey"
    SYNTHETIC = "synthetic"


def prepare(
    name: SourceName,
    source: Annotated[Path | None, typer.Option(help="Folder of the published files (not for synthetic).")] = None,
    option: Annotated[
        list[str] | None, typer.Option(help="An option of the reader, key=value; once for each.", metavar="KEY=VALUE")
    ] = None,
    data: Data = DATASETS,
) -> None:
    """Read a published data set and write it in the canonical layout."""
    from training.datasets.base import write_dataset  # noqa: PLC0415 - help must not wait for imports
    from training.datasets.options import parse_pairs  # noqa: PLC0415
    from training.datasets.sources import open_source  # noqa: PLC0415

    dataset = write_dataset(open_source(name.value, source, **parse_pairs(option or [])), data / name.value)
    splits = ", ".join(f"{split} {len(ids)}" for split, ids in dataset.index.splits.items()) or "no splits"
    typer.echo(f"{data / name.value}: {len(dataset.index.samples)} frames ({splits})")
    for note in dataset.index.notes:
        typer.echo(f"note: {note}")
