"""Options and the progress bar that the commands share which run a model over frames."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

ModelPath = Annotated[
    Path, typer.Argument(metavar="MODEL", help="A package (models/NAME/VERSION), a run's folder or a checkpoint.")
]
FrameStep = Annotated[int, typer.Option(min=1, help="Take every n-th frame.")]
MaxFrames = Annotated[int | None, typer.Option(min=1, help="Take at most this many frames; more later goes on.")]
Device = Annotated[Literal["auto", "cpu", "cuda"], typer.Option(help="Where the model runs.")]
Precision = Annotated[Literal["fp32", "fp16", "int8"], typer.Option(help="File of a package; runs are fp32.")]


@contextmanager
def progress(name: str, total: int) -> Iterator[Callable[[int], None]]:
    """A bar on the terminal's error stream; the function it gives takes the number of frames done."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(name, total=total)
        yield lambda done: bar.update(task, completed=done)
