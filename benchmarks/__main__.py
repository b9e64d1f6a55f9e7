"""`./run bench`: measure, write the dated results, draw the figure."""

import signal
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from benchmarks import frames, live_beside_video, memory, overload, profiling, soak, start, video
from benchmarks.bench import FULL, QUICK, Bench
from benchmarks.figure import draw
from benchmarks.machine import ROOT, facts
from benchmarks.pages import write_pages
from benchmarks.results import Results, newest, read

WORK = ROOT / "build/bench"
"""Clips, frames, logs and remembered choices; git-ignored."""
RESULTS = Path(__file__).parent / "results"
FIGURE = ROOT / "docs/bench.svg"


class Part(StrEnum):
    FLOOR = "floor"
    SERVED = "served"
    PEERS = "peers"
    VIDEO = "video"
    LIVE = "live"
    OVERLOAD = "overload"
    MEMORY = "memory"
    START = "start"
    PROFILE = "profile"
    FIGURE = "figure"
    SOAK = "soak"


DEFAULT = [part for part in Part if part is not Part.SOAK]
cli = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


def _odd(rounds: int | None) -> int | None:
    """So that a median is what one round has shown."""
    if rounds is not None and rounds % 2 == 0:
        raise typer.BadParameter(f"{rounds} is even; an odd number of rounds has a median that was measured")
    return rounds


@cli.command(epilog="Example: ./run bench floor served --rounds 5. All but the soak take about half an hour.")
def main(
    parts: Annotated[
        list[Part] | None, typer.Argument(help=f"What to measure; all but soak when left out: {', '.join(Part)}.")
    ] = None,
    quick: Annotated[bool, typer.Option(help="One round of short measurements, to see that all runs.")] = False,
    rounds: Annotated[
        int | None,
        typer.Option(min=1, callback=_odd, help="Rounds in which what is compared takes turns; an odd number."),
    ] = None,
    seconds: Annotated[float | None, typer.Option(min=0.05, help="Length of one measurement.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the results; benchmarks/results for a full run, else build/bench.")
    ] = None,
    work: Annotated[Path, typer.Option(help="Folder for clips, logs and the like.")] = WORK,
) -> None:
    """Measure Endomask on this machine: what a frame costs, against other servers, videos, memory, start.

    Results go to YYYY-MM-DD-<machine>.json and .md as they come; a part that fails is reported, the others go on.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is ended
    chosen = set(parts or DEFAULT)
    scale = QUICK if quick else FULL
    scale = replace(scale, rounds=rounds or scale.rounds, seconds=seconds or scale.seconds)
    bench = Bench(scale, work.resolve(), quick, typer.echo)
    whole = chosen >= set(DEFAULT) and not quick
    folder = out or (RESULTS if whole else bench.folder / "results")
    results = Results.today(folder, facts(), bench.package.label, "-soak" if chosen == {Part.SOAK} else "")
    failed = _measure(bench, results, chosen)
    if Part.FIGURE in chosen:
        published = out is None and (whole or chosen == {Part.FIGURE})
        failed += not _try(bench, Part.FIGURE, partial(_publish if published else _draw, bench, results))
    for verdict in results.as_dict()["budgets"]:
        word = {True: "holds ", False: "MISSED", None: "-     "}[verdict["holds"]]
        bench.say(f"{word} {verdict['what']}: {verdict['measured']:.4g} {verdict['unit']} ({verdict['budget']})")
    bench.say(f"results: {results.path}")
    raise typer.Exit(1 if failed else 0)


def _measure(bench: Bench, results: Results, chosen: set[Part]) -> int:
    """How many parts failed."""
    measurers: dict[Part, Callable[[], dict[str, Any]]] = {
        Part.VIDEO: lambda: video.measure(bench, lambda found: results.keep("video", found)),
        Part.LIVE: lambda: live_beside_video.measure(bench),
        Part.OVERLOAD: lambda: overload.measure(bench),
        Part.MEMORY: lambda: memory.measure(bench),
        Part.START: lambda: start.measure(bench),
        Part.PROFILE: lambda: profiling.measure(bench),
        Part.SOAK: lambda: soak.measure(bench),
    }
    compared = {str(part) for part in chosen} & set(frames.PARTS)
    failed = 0
    if compared:
        bench.say(f"== {', '.join(sorted(compared))}")
        failed += not _try(
            bench, Part.SERVED, lambda: frames.measure(bench, compared, lambda found: results.keep("frames", found))
        )
    for part, measure in measurers.items():
        if part in chosen:
            bench.say(f"== {part}")
            failed += not _try(bench, part, partial(_keep_measured, results, part, measure))
    return failed


def _publish(_bench: Bench, _results: Results) -> None:
    """The repository's figure and the numbers in its pages, from the newest of its results."""
    draw(read(newest(RESULTS, "frames")), FIGURE)
    write_pages(RESULTS)


def _draw(bench: Bench, results: Results) -> None:
    """The newest results of another folder, beside the work."""
    draw(read(newest(results.path.parent, "frames")), bench.folder / "bench.svg")


def _keep_measured(results: Results, part: Part, measure: Callable[[], dict[str, Any]]) -> None:
    results.keep(str(part), measure())


def _try(bench: Bench, part: Part, work: Callable[[], object]) -> bool:
    """Whether it went well; what went wrong is said, and the suite goes on."""
    started_at = time.monotonic()
    try:
        work()
    except Exception as error:  # noqa: BLE001  (a server that does not start must not cost the other results)
        bench.say(f"FAILED {part}: {error}")
        return False
    bench.say(f"{part}: {time.monotonic() - started_at:.0f} s")
    return True


if __name__ == "__main__":
    cli()
