"""A data set's report as tables on the terminal."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

if TYPE_CHECKING:
    from training.datasets.report import PairsReport, PartReport, Report

_WIDTH = 120
_LISTED = 5


def track(what: str, items: Iterable[Any], total: int | None) -> Iterable[Any]:
    """Passes `items` on under a progress bar, which moves without end where the total is not known."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True)) as progress:
        yield from progress.track(items, total=total, description=what)


def print_report(report: "Report") -> None:
    console = Console(width=_WIDTH, highlight=False)
    sizes = ", ".join(f"{size} ({count})" for size, count in list(report.sizes.items())[:_LISTED])
    more = f" and {len(report.sizes) - _LISTED} more" if len(report.sizes) > _LISTED else ""
    console.print(f"{report.whole.frames} frames, {report.whole.groups} groups ({report.split_unit}); {sizes}{more}")
    console.print(_classes(report))
    console.print(_duplicates(report))
    for note in report.notes[:_LISTED]:
        console.print(f"note: {note}", markup=False)
    if len(report.notes) > _LISTED:
        console.print(f"note: and {len(report.notes) - _LISTED} more in report.json")
    for warning in report.warnings:
        console.print(f"warning: {warning}", style="bold red", markup=False)


def _classes(report: "Report") -> Table:
    table = Table("split", "frames", "groups", "class", "frames with it", "mean coverage there", "of all pixels")
    parts: dict[str, PartReport] = {**report.splits, "all": report.whole}
    for name, part in parts.items():
        head = [name, str(part.frames), str(part.groups)]
        for entry in part.classes:
            share = f"{entry.frames} ({entry.frames / max(part.frames, 1):.0%})"
            table.add_row(*head, entry.name, share, f"{entry.mean_coverage:.2%}", f"{entry.total_coverage:.2%}")
            head = ["", "", ""]
        table.add_section()
    return table


def _duplicates(report: "Report") -> Table:
    table = Table("duplicates", "exact", "near", "e.g.")
    found = report.duplicates
    table.add_row("across splits", *_row(found.across_splits))
    table.add_row("across groups", *_row(found.across_groups))
    table.add_row("within a group", *_row(found.within_groups))
    return table


def _row(pairs: "PairsReport") -> list[str]:
    example = " = ".join(pairs.listed[0].frames) if pairs.listed else ""
    return [str(pairs.exact), str(pairs.near), example]
