"""`prepare`: published data, or a user's own annotations, into the canonical layout."""

from pathlib import Path
from typing import Annotated

import typer

from training.commands.options import DATASETS, Data
from training.datasets.names import SourceName, Unit

_Reader = Annotated[
    SourceName, typer.Argument(help="A published data set, or a format of own annotations.", metavar="NAME|FORMAT")
]
_Source = Annotated[Path | None, typer.Option(help="The published files (not for synthetic), or annotations.")]
_Options = Annotated[
    list[str] | None,
    typer.Option("--option", help="An option of the reader, key=value; once for each.", metavar="KEY=VALUE"),
]
_Name = Annotated[str | None, typer.Option(help="Folder to write under --data; a published set has a name of its own.")]
_Licence = Annotated[str | None, typer.Option(help="Licence of own data, for the index.")]
_Split = Annotated[
    str | None,
    typer.Option(help="Shares of train, val, test (0.7,0.15,0.15), or name=share,..; not where authors split."),
]
_Seed = Annotated[int, typer.Option(help="Of --split.")]
_By = Annotated[Unit, typer.Option(help="What --split keeps together: groups (videos, patients), or single frames.")]
_GroupFrom = Annotated[
    str | None,
    typer.Option(help=r"Group of own frames: folder, folder:N, or a pattern such as '(?P<group>video\d+)_'."),
]
_SkipBad = Annotated[bool, typer.Option("--skip-bad", help="Leave bad frames out instead of refusing all.")]
_RefuseDuplicates = Annotated[
    bool, typer.Option("--refuse-duplicates", help="Refuse frames that lie in two splits, exactly or nearly.")
]


def prepare(
    reader: _Reader,
    source: _Source = None,
    options: _Options = None,
    data: Data = DATASETS,
    name: _Name = None,
    licence: _Licence = None,
    split: _Split = None,
    seed: _Seed = 0,
    by: _By = Unit.GROUP,
    group_from: _GroupFrom = None,
    skip_bad: _SkipBad = False,
    refuse_duplicates: _RefuseDuplicates = False,
) -> None:
    """Read a published data set, or own annotations, write the canonical layout and report what is in it.

    FORMAT is folders, coco, cvat or label-studio; a ZIP archive as exported will do. The report is printed, and written
    as report.json and report.png. A run that was interrupted leaves no dataset.json: run it again, it starts afresh.

    Example: python -m training prepare coco --source annotations.json --name my-data --split 0.7,0.15,0.15
    """
    from training.commands.report import print_report, track  # noqa: PLC0415 - help must not wait for imports
    from training.datasets.options import parse_pairs  # noqa: PLC0415
    from training.datasets.preparing import Request, prepare_dataset  # noqa: PLC0415
    from training.datasets.splits import parse_shares  # noqa: PLC0415

    request = Request(
        reader=reader.value,
        source=source,
        data=data,
        name=name,
        licence=licence,
        group_from=group_from,
        options=parse_pairs(options or []),
        shares=parse_shares(split) if split else None,
        by=by.value,
        seed=seed,
        skip_bad=skip_bad,
        refuse_duplicates=refuse_duplicates,
    )
    dataset, report = prepare_dataset(request, track)
    print_report(report)
    splits = ", ".join(f"{part} {len(ids)}" for part, ids in dataset.index.splits.items()) or "no splits"
    typer.echo(f"{dataset.root}: {len(dataset.index.samples)} frames ({splits})")
