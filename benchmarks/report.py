"""Results -> Markdown tables."""

from collections.abc import Iterator
from typing import Any

from benchmarks import profile_tables
from benchmarks.tables import NONE, cell, table

STAGES = ("decode", "prepare", "queue", "infer", "restore", "encode")


def render(results: dict[str, Any]) -> str:
    """The whole page."""
    lines = [*_head(results), *_budgets(results["budgets"])]
    parts = results["parts"]
    if "frames" in parts:
        lines += _frames(parts["frames"])
    if "video" in parts:
        lines += ["## Videos", "", *videos(parts["video"])]
    lines += _others(parts)
    if "profile" in parts:
        lines += ["## Profile", "", *profile_tables.render(parts["profile"])]
    return "\n".join(lines) + "\n"


def _head(results: dict[str, Any]) -> Iterator[str]:
    machine = results["machine"]
    packages = ", ".join(f"{name} {version}" for name, version in machine["packages"].items())
    yield f"# {results['model']} on {cores_of(machine)} of {machine['cpu']}, {machine['date'][:10]}"
    yield ""
    yield (
        f"{commit_of(machine).capitalize()}; {machine['system']}, kernel {machine['kernel']}, "
        f"{machine['memory_gb']:g} GB, {machine['gpus']} GPUs, {', '.join(machine['cpu_flags'])}; "
        f"Python {machine['python']}, {packages}."
    )
    if machine["settings"]:
        yield "Settings: " + ", ".join(f"`{name}={value}`" for name, value in machine["settings"].items()) + "."
    yield ""


def cores_of(machine: dict[str, Any]) -> str:
    """`1 core`, `2 cores`"""
    return f"{machine['cores']} core{'s' if machine['cores'] != 1 else ''}"


def commit_of(machine: dict[str, Any]) -> str:
    """`commit 0123456789ab`, and whether the code differed from it."""
    commit = machine["commit"] or {"id": "unknown", "dirty": False}
    return f"commit {commit['id']}{' with changes' if commit['dirty'] else ''}"


def _budgets(verdicts: list[dict[str, Any]]) -> Iterator[str]:
    if verdicts:
        yield "## Budgets"
        yield ""
        yield from budgets(verdicts)


def budgets(verdicts: list[dict[str, Any]]) -> list[str]:
    """A table, a row for each."""
    rows = [
        (entry["what"], entry["budget"], f"{entry['measured']:.4g} {entry['unit']}".strip(), _word(entry["holds"]))
        for entry in verdicts
    ]
    return table(("what", "budget", "measured", ""), rows)


def _frames(found: dict[str, Any]) -> Iterator[str]:
    yield "## Frames"
    yield ""
    for name, active in found["backends"].items():
        yield f"- {name}: {active['backend']}, {active['precision']}, {active['threads']} threads"
    dice = ", ".join(f"{name} {value:.4f}" for name, value in found["dice_with_fp32"].items())
    yield f"- Dice with the FP32 file's mask of the same frame: {dice or NONE}"
    yield f"- {_loads(found)}"
    for failure in found["failures"]:
        reason = failure["error"].strip().splitlines()[0][:200] if failure["error"].strip() else "no reason given"
        yield f"- failed in round {failure['round'] + 1}: {failure['contender']}: {reason}"
    yield ""
    yield (
        "Medians over the rounds; in brackets the lowest and highest throughput. For the floor, clients are threads. "
        "`layout`: workers x threads of ONNX Runtime, each peer's best for the case. `callers` is what the load itself "
        "used, in cores."
    )
    yield ""
    yield from table(
        (
            "who",
            "frame",
            "answer",
            "clients",
            "layout",
            "frames/s",
            "p50 ms",
            "p95 ms",
            "p99 ms",
            "failed",
            "callers",
            "rounds",
        ),
        [
            (
                *(row[key] for key in ("contender", "frame", "answer", "clients", "layout")),
                spread_cell(row["frames_per_second"]),
                *(row["latency_ms"][key] for key in ("p50", "p95", "p99")),
                *(row[key] for key in ("failed", "client_cpu_share", "rounds")),
            )
            for row in found["summary"]
        ],
    )
    yield from _layouts(found["layouts"])
    yield from _stages(found["summary"])


def _layouts(lines: list[dict[str, Any]]) -> Iterator[str]:
    """What was tried for each peer; one far behind in the first round was not asked again."""
    if not lines:
        return
    yield "### Layouts of the peers"
    yield ""
    keys = ("contender", "clients", "layout")
    ordered = sorted(lines, key=lambda line: (line["contender"], line["clients"]))
    rows = [(*(line[key] for key in keys), spread_cell(line["frames_per_second"]), line["rounds"]) for line in ordered]
    yield from table(("who", "clients", "layout", "frames/s", "rounds"), rows)


def _stages(summary: list[dict[str, Any]]) -> Iterator[str]:
    rows = [row for row in summary if row["stages_ms"]]
    if not rows:
        return
    yield "### Where a frame's milliseconds go"
    yield ""
    yield "`around, client` is the caller's clock without the graph's run; `around, server` the stages without it."
    yield ""
    yield from table(
        ("who", "frame", "answer", "clients", *STAGES, "around, client", "around, server"),
        [
            (
                *(row[key] for key in ("contender", "frame", "answer", "clients")),
                *(row["stages_ms"].get(stage) for stage in STAGES),
                *(row["around_graph_ms"].get(side) for side in ("client", "server")),
            )
            for row in rows
        ],
    )


def videos(found: dict[str, Any]) -> Iterator[str]:
    for clip in found["clips"]:
        rate = clip["megabits_per_second"]
        yield f"- {clip['clip']}: {clip['frames']} frames, {clip['seconds']:g} s, {rate:g} Mbit/s"
    yield f"- {_loads(found)}"
    yield ""
    yield from table(
        ("clip", "way", "frames/s", "times real time", "CPU ms a frame"),
        [
            (
                *(row[key] for key in ("clip", "way")),
                spread_cell(row["frames_per_second"]),
                *(row[key].get("median") for key in ("realtime_factor", "cpu_ms_per_frame")),
            )
            for row in found.get("summary", [])
        ],
    )
    for key, title in (("stage_ms_per_frame", "Busy"), ("stage_cpu_ms_per_frame", "CPU")):
        rows = [row for row in found.get("summary", []) if row.get(key)]
        if rows:
            stages = list(dict.fromkeys(stage for row in rows for stage in row[key]))
            yield f"{title} milliseconds a frame by stage; stages overlap:"
            yield ""
            body = [(row["clip"], row["way"], *(row[key].get(stage) for stage in stages)) for row in rows]
            yield from table(("clip", "way", *stages), body)


def _others(parts: dict[str, Any]) -> Iterator[str]:
    """The smaller parts, as names and values."""
    titles = {
        "live": "Live frames beside a video",
        "overload": "Overload",
        "memory": "Memory of a video job",
        "start": "Start",
        "soak": "Soak",
    }
    for part, title in titles.items():
        if part in parts:
            yield f"## {title}"
            yield ""
            yield from table(("what", "value"), list(_flat(parts[part])))


def _flat(found: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in found.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict):
            yield from _flat(value, f"{name}.")
        elif not isinstance(value, list):
            yield name, value
        elif all(isinstance(entry, int | float | str) for entry in value):
            yield name, ", ".join(map(str, value))


def _loads(found: dict[str, Any]) -> str:
    """What else the machine did."""
    loads = found["load_before_rounds"]
    if not loads:
        return "the machine's load was not recorded"
    busy = ", ".join(f"{100 * entry['busy_share']:.0f} %" for entry in loads)
    stolen = ", ".join(f"{100 * entry['stolen_share']:.0f} %" for entry in loads)
    return f"cores used by others before each round: {busy}; taken by the hypervisor: {stolen}"


def spread_cell(values: dict[str, float]) -> str | None:
    """`140 (70 to 140)`"""
    return f"{cell(values['median'])} ({cell(values['low'])} to {cell(values['high'])})" if values else None


def _word(holds: bool | None) -> str:
    return {True: "holds", False: "**missed**", None: "not judged"}[holds]
