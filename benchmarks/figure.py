"""The README's figure: throughput beside the peers', and where a frame's milliseconds go."""

from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.budgets import peers_of
from benchmarks.frames import SAME, SERVED
from benchmarks.report import commit_of, cores_of

_STYLE: dict[Any, Any] = {
    "svg.hashsalt": "endomask",
    "svg.fonttype": "path",
    "font.size": 9.5,
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#222222",
    "axes.axisbelow": True,
    "grid.alpha": 0.25,
    "legend.frameon": False,
}
_OURS, _SAME, _THEIRS, _FLOOR = "#0072b2", "#56b4e9", "#b8b8b8", "#222222"
_STAGES = {
    "decode": "#e69f00",
    "prepare": "#f0e442",
    "queue": "#999999",
    "infer": "#0072b2",
    "restore": "#009e73",
    "encode": "#cc79a7",
    "HTTP": "#d55e00",
}
"""Tells the stages apart for the colour-blind too (Okabe and Ito, 2008)."""
_MANY = 16
_SMALL = "854x480"


def draw(results: dict[str, Any], path: Path) -> Path:
    """SVG of the newest results; raises ValueError when the frames were not measured."""
    found = results["parts"].get("frames")
    if not found or not any(row["contender"] == SERVED for row in found["summary"]):
        raise ValueError("the figure shows the parts floor, served and peers; measure them first")
    with rc_context(_STYLE):
        figure = Figure(figsize=(9.6, 3.9), layout="constrained")
        left, right = figure.subplots(1, 2, width_ratios=[1.15, 1])
        _throughput(left, found)
        _split(right, found["summary"])
        machine = results["machine"]
        note = (
            f"{results['model']}, {cores_of(machine)} of {machine['cpu']}, {machine['date'][:10]}, "
            f"{commit_of(machine)}; bars: medians, lines: lowest and highest round; grey: the FP32 file in ONNX Runtime"
        )
        figure.supxlabel(note, fontsize=8, color="#555555")
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, format="svg", metadata={"Date": None})
    return path


def _throughput(axes: Axes, found: dict[str, Any]) -> None:
    """A bar for each server with its rounds' range, and the floor as a line."""
    rows = sorted(_bars(found), key=lambda row: float(row["frames_per_second"]["median"]))
    values = [row["frames_per_second"]["median"] for row in rows]
    around = [
        [value - row["frames_per_second"]["low"] for value, row in zip(values, rows, strict=True)],
        [row["frames_per_second"]["high"] - value for value, row in zip(values, rows, strict=True)],
    ]
    colours = [{SERVED: _OURS, SAME: _SAME}.get(row["contender"], _THEIRS) for row in rows]
    titles = found.get("titles", {})
    axes.barh(range(len(rows)), values, color=colours, xerr=around, error_kw={"lw": 0.9, "ecolor": _FLOOR})
    axes.set_yticks(range(len(rows)), [_label(row["contender"], titles) for row in rows])
    for place, (value, row) in enumerate(zip(values, rows, strict=True)):
        high = row["frames_per_second"]["high"]
        label = axes.annotate(f"{value:.0f}", (high, place), (4, 0), textcoords="offset points", va="center")
        label.set_bbox({"facecolor": "white", "edgecolor": "none", "pad": 0.6})
    floor = max((row["frames_per_second"]["median"] for row in _floor(found)), default=None)
    if floor is not None:
        axes.axvline(floor, color=_FLOOR, lw=1, ls="--", label=f"in one process, without HTTP: {floor:.0f}")
        axes.legend(loc="lower right", fontsize=8, frameon=True, facecolor="white", edgecolor="none", framealpha=1)
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=True, axis="x")
    axes.set_xlim(0, 1.12 * max([*values, floor or 0]))
    axes.set(title=f"Frames a second, {_MANY} clients", xlabel=f"{_SMALL} JPEG in, mask PNG out")


def _split(axes: Axes, summary: list[dict[str, Any]]) -> None:
    """One stacked bar for each frame size, one client."""
    rows = [
        row
        for row in summary
        if (row["contender"], row["answer"], row["clients"]) == (SERVED, "mask", 1) and row["stages_ms"]
    ][::-1]
    starts = [0.0] * len(rows)
    for stage, colour in _STAGES.items():
        widths = [_stage_ms(row, stage) for row in rows]
        axes.barh(range(len(rows)), widths, left=starts, color=colour, label=stage, height=0.5)
        starts = [start + width for start, width in zip(starts, widths, strict=True)]
    for place, end in enumerate(starts):
        axes.annotate(f"{end:.1f} ms", (end, place), (4, 0), textcoords="offset points", va="center", fontsize=8.5)
    axes.set_yticks(range(len(rows)), [row["frame"] for row in rows])
    axes.set_ylim(-0.6, len(rows) - 0.1)
    axes.set_xlim(0, 1.18 * max(starts, default=1.0))
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=True, axis="x")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=4, fontsize=8, columnspacing=1.2)
    axes.set(title="A frame's time, one client", xlabel="ms")


def _stage_ms(row: dict[str, Any], stage: str) -> float:
    """Median milliseconds; what the caller waited beyond the stages is HTTP's."""
    if stage != "HTTP":
        return float(row["stages_ms"].get(stage, 0.0))
    return max(0.0, float(row["around_graph_ms"]["client"] - row["around_graph_ms"]["server"]))


def _bars(found: dict[str, Any]) -> list[dict[str, Any]]:
    shown = {SERVED, SAME} | peers_of(found["measurements"])
    return [
        row
        for row in found["summary"]
        if row["contender"] in shown and (row["frame"], row["answer"], row["clients"]) == (_SMALL, "mask", _MANY)
    ]


def _floor(found: dict[str, Any]) -> list[dict[str, Any]]:
    return [row for row in found["summary"] if (row["contender"], row["frame"]) == ("floor", _SMALL)]


def _label(contender: str, titles: dict[str, str]) -> str:
    return {SERVED: "Endomask", SAME: "Endomask\n(ONNX Runtime, FP32)"}.get(contender, titles.get(contender, contender))
