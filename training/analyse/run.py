"""analysis.json, analysis.png and analysis.md of a folder of generated masks."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from training.analyse.figure import draw_figure
from training.analyse.masks import MaskFolder
from training.analyse.measures import ClassAnalysis, analyse_track, follow
from training.analyse.samples import choose_samples, draw_samples
from training.figures.style import save_figure
from training.predict.run import SUMMARY_FILE

STEM = "analysis"
_HEADS = (
    *("class", "detection rate", "coverage: mean", "median seen", "5% to 95% seen", "highest", "appearances"),
    *("temporal IoU: median", "unstable", "flicker"),
)


def analyse(
    folder: MaskFolder, out: Path, frames: Path | None, on_frames: Callable[[int], None]
) -> list[ClassAnalysis]:
    """Writes the three files; `frames` is the input that was predicted, for sample panels. Raises InputError."""
    series = follow(folder, folder.classes, on_frames)
    analyses = [analyse_track(track, series.groups) for track in series.tracks]
    places = choose_samples(series.tracks[0].coverage)
    names = [series.names[place] for place in places]
    pictures = draw_samples(folder, names, frames or known_input(folder.path))
    captions = [f"{name}: {100 * series.tracks[0].coverage[k]:.1f}%" for name, k in zip(names, places, strict=True)]
    title = (
        f"{folder.path.resolve().name}: {len(folder)} masks, {100 * analyses[0].detection_rate:.1f}% with a detection"
    )
    figure = draw_figure(series, analyses[1:], list(zip(captions, pictures, strict=True)), title)
    out.mkdir(parents=True, exist_ok=True)
    numbers = {"masks": len(folder), "samples": names, "classes": [asdict(entry) for entry in analyses]}
    save_figure(figure, out / f"{STEM}.png", numbers)
    (out / f"{STEM}.md").write_text(_markdown(title, analyses))
    return analyses


def known_input(path: Path) -> Path | None:
    """The video or pictures that `predict` took, where they still are."""
    note = (path if path.is_dir() else path.parent) / SUMMARY_FILE
    if not note.is_file():
        return None
    summary: dict[str, Any] = json.loads(note.read_text())
    found = Path(summary["input_path"])
    return found if found.exists() else None


def _markdown(title: str, analyses: Sequence[ClassAnalysis]) -> str:
    lines = [f"# {title}", "", "![analysis](analysis.png)", "", f"| {' | '.join(_HEADS)} |", "|---" * len(_HEADS) + "|"]
    shown = analyses if len(analyses) > 2 else analyses[1:]
    lines += [f"| {' | '.join(_cells(entry))} |" for entry in shown]
    lines += [
        "",
        "Coverage is the share of a frame's pixels; `seen` counts only frames that show the class.",
        f"Unstable: neighbours with an IoU under 0.5 (of {analyses[0].stability.pairs} pairs). "
        "Flicker: frames whose state, seen or not, differs from both neighbours.",
    ]
    return "\n".join(lines) + "\n"


def _cells(entry: ClassAnalysis) -> list[str]:
    seen, stability = entry.coverage_when_seen, entry.stability
    return [
        entry.name,
        _percent(entry.detection_rate),
        _percent(entry.coverage.mean),
        _percent(seen.median),
        f"{_percent(seen.p05)} to {_percent(seen.p95)}",
        _percent(entry.coverage.maximum),
        str(stability.appearances),
        "-" if stability.temporal_iou.median is None else f"{stability.temporal_iou.median:.3f}",
        _percent(stability.unstable_share),
        _percent(stability.flicker),
    ]


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f}%"
