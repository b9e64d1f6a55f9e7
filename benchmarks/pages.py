"""The numbers in README.md and docs/speed.md, made from the newest results: whatever stands between two marks."""

import re
from pathlib import Path
from typing import Any

from benchmarks import profile_tables
from benchmarks.budgets import Verdict, judge, peers_of
from benchmarks.frames import SAME, SERVED
from benchmarks.machine import ROOT
from benchmarks.report import budgets, commit_of, cores_of, spread_cell, videos
from benchmarks.results import newest, read
from benchmarks.tables import table

PAGES = (ROOT / "README.md", ROOT / "docs/speed.md")
_MARKED = re.compile(r"(<!-- bench: (?P<name>[a-z]+) -->\n).*?(<!-- bench end -->)", re.DOTALL)
_NOT_MEASURED = ["Not measured in the newest results."]
_SMALL, _MANY = "854x480", 16


def write_pages(results: Path, pages: tuple[Path, ...] = PAGES) -> None:
    """Fill every page with the newest results of a folder. Raises FileNotFoundError when there are none."""
    made = sections(results)
    for page in pages:
        page.write_text(fill(page.read_text(), made))


def fill(page: str, made: dict[str, str]) -> str:
    """The page with what stands between its marks made anew; raises KeyError when a mark names what is not made."""
    return _MARKED.sub(lambda found: f"{found[1]}{made[found['name']]}\n{found[3]}", page)


def sections(folder: Path) -> dict[str, str]:
    """What can be put between marks, by name."""
    found = read(newest(folder, "frames"))
    parts, verdicts = found["parts"], judge(found["parts"], found["machine"]["cores"])
    lines = {
        "headline": _headline(found, verdicts),
        "machine": [_machine(found)],
        "budgets": budgets([verdict.as_dict() for verdict in verdicts]),
        "frames": _frames(parts["frames"]),
        "videos": list(videos(parts["video"])) if "video" in parts else _NOT_MEASURED,
        "profile": list(profile_tables.render(parts["profile"])) if "profile" in parts else _NOT_MEASURED,
        "soak": _soak(folder),
    }
    return {name: "\n".join(some).strip() for name, some in lines.items()}


def _machine(found: dict[str, Any]) -> str:
    machine = found["machine"]
    return (
        f"`{found['model']}` on {cores_of(machine)} of {machine['cpu']}, {machine['date'][:10]}, {commit_of(machine)}."
    )


def _headline(found: dict[str, Any], verdicts: list[Verdict]) -> list[str]:
    """The README's sentences."""
    frames = found["parts"]["frames"]
    rows = {(row["contender"], row["frame"], row["answer"], row["clients"]): row for row in frames["summary"]}
    crowd, alone = rows[SERVED, _SMALL, "mask", _MANY], rows[SERVED, _SMALL, "mask", 1]
    measured = {verdict.what: verdict.measured for verdict in verdicts}
    said = [
        f"{_machine(found)[:-1]}: {crowd['frames_per_second']['median']:.0f} frames a second for {_MANY} clients, "
        f"{alone['latency_ms']['p50']:.1f} ms a frame for one (854x480 JPEG in, mask PNG out)"
    ]
    if (peers := measured.get("16 clients against the best peer")) is not None:
        count = len(peers_of(frames["measurements"]))
        said += [f"{peers:.1f} times the best of {count} other servers, which run the FP32 file in ONNX Runtime"]
    if (video := measured.get("1080p video, all results")) is not None:
        said += [f"a 1080p video is annotated at {video:.0f} frames a second"]
    active, dice = frames["backends"][SERVED], frames["dice_with_fp32"][SERVED]
    text = "; ".join(said) + "."
    text += f" Endomask chose the {active['precision'].upper()} file in {_library(active['backend'])}"
    text += f", whose masks of that frame have a Dice of {dice:.3f} with FP32's"
    if (same := measured.get("the same, both with FP32 in ONNX Runtime")) is not None:
        text += f"; with the same file and runtime it answers {same:.2f} times as many frames as the best of them"
    missed = [verdict.what for verdict in verdicts if verdict.holds is False]
    text += ". Budgets missed: " + ("; ".join(missed) if missed else "none") + "."
    return [text]


def _library(backend: str) -> str:
    return {"onnxruntime": "ONNX Runtime", "openvino": "OpenVINO"}.get(backend, backend)


def _frames(found: dict[str, Any]) -> list[str]:
    """Us and the peers, the fastest under many callers first."""
    titles = {SERVED: "**Endomask**", SAME: "Endomask, FP32 in ONNX Runtime", **found["titles"]}
    shown = [row for row in found["summary"] if (row["frame"], row["answer"]) == (_SMALL, "mask")]
    crowd = [row for row in shown if row["clients"] == _MANY]
    alone = {row["contender"]: row for row in shown if row["clients"] == 1}
    rows = [
        (
            titles.get(row["contender"], row["contender"]),
            spread_cell(row["frames_per_second"]),
            row["latency_ms"]["p50"],
            row["latency_ms"]["p99"],
            alone.get(row["contender"], {}).get("latency_ms", {}).get("p50"),
            found["dice_with_fp32"].get(row["contender"]),
            row["rounds"],
        )
        for row in sorted(crowd, key=lambda row: -row["frames_per_second"]["median"])
    ]
    floor = [row for row in shown if row["contender"] == "floor"]
    rows += [
        (f"in one process, {_threads(row)}", spread_cell(row["frames_per_second"]), *[None] * 4, row["rounds"])
        for row in floor
    ]
    heads = ("who", "frames/s, 16 clients", "p50 ms", "p99 ms", "p50 ms, 1 client", "Dice with FP32", "rounds")
    return table(heads, rows)


def _threads(row: dict[str, Any]) -> str:
    return f"{row['clients']} thread{'s' if row['clients'] != 1 else ''}"


def _soak(folder: Path) -> list[str]:
    try:
        found = read(newest(folder, "soak"))
    except FileNotFoundError:
        return _NOT_MEASURED
    seen = found["parts"]["soak"]
    minutes, first, last = seen["seconds"] / 60, seen["memory_mb"][0][1], seen["memory_mb"][-1][1]
    return [
        f"{_machine(found)[:-1]}: {minutes:.0f} minutes, {seen['frames']} frames and {seen['videos']} videos, "
        f"{seen['failed']} failed; memory of all processes {first:.0f} MB after the first stretch, {last:.0f} MB after "
        f"the last, {seen['growth_mb']:+.0f} MB from the second quarter's median to the last one's."
        + (f" ({seen['note']})" if "note" in seen else "")
    ]
