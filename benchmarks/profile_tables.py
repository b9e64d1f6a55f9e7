"""The profile as Markdown tables."""

from collections.abc import Iterator
from typing import Any

from benchmarks.tables import table


def render(found: dict[str, Any]) -> Iterator[str]:
    yield "CPU milliseconds a frame, and shares of what all cores had to give in that time."
    yield ""
    yield from _frames(found)
    yield from _video(found["video"])


def _frames(found: dict[str, Any]) -> Iterator[str]:
    for clients, seen in found["clients"].items():
        yield f"### {found['frame']}, mask, {clients} client{'s' if clients != '1' else ''}: {_rate(seen)}"
        yield ""
        yield from _threads(seen)
    yield "### The same frame in one process, without HTTP"
    yield ""
    heads = ("threads", "frames/s", "CPU ms a frame")
    rows = [(threads, seen["frames_per_second"], seen["cpu_ms_per_frame"]) for threads, seen in found["floor"].items()]
    yield from table(heads, rows)


def _video(seen: dict[str, Any]) -> Iterator[str]:
    yield f"### {seen['clip']} video, all results: {_rate(seen)}"
    yield ""
    yield from _threads(seen)
    yield "By stage, CPU ms a frame:"
    yield ""
    stages = seen["stages_cpu_ms"]
    rest = seen["cpu_ms_per_frame"] - sum(stages.values())
    yield from table((*stages, "outside the stages"), [(*stages.values(), rest)])


def _threads(seen: dict[str, Any]) -> Iterator[str]:
    rows: list[tuple[Any, ...]] = [
        (row["process"], row["thread"], row["cpu_ms_per_frame"], _percent(row["share"])) for row in seen["threads"]
    ]
    rows.append(("all of these", "", seen["cpu_ms_per_frame"], _percent(seen["busy_share"])))
    rows += [
        (what, "", None, _percent(seen[key]))
        for what, key in (
            ("other processes", "others_share"),
            ("taken by the hypervisor", "stolen_share"),
            ("idle", "idle_share"),
        )
    ]
    yield from table(("process", "thread", "CPU ms a frame", "of the cores"), rows)


def _rate(seen: dict[str, Any]) -> str:
    return f"{seen['frames_per_second']:.1f} frames/s"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
