"""What a cross-validation says: JSON, Markdown and a figure, per fold and over the folds."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from training.figures import save_figure
from training.figures.style import INK, colour, style
from training.metrics.bootstrap import F64, Resampling
from training.studies.crossval import CrossValidation, Fold
from training.studies.framecounts import FrameCounts, joined
from training.studies.framescores import CLASS_METRICS, METRICS, frame_dice, listed_scores
from training.studies.runset import markdown_table, write_text


def summarise(study: CrossValidation, counts: dict[str, FrameCounts]) -> dict[str, Any]:
    """Contents of crossval.json: scores with intervals of each trained fold, mean and spread over the folds."""
    classes = [entry.name for entry in study.preset.classes[1:]]
    folds = [_fold(study, fold, counts[fold.name], classes) for fold in study.folds if fold.name in counts]
    missing = [fold.name for fold in study.folds if fold.name not in counts]
    content: dict[str, Any] = {
        "preset": study.preset.name,
        "data_set": study.data,
        "classes": classes,
        "start_from": folds[0]["start_from"] if folds else None,
        "folds": folds,
        "folds_not_trained": missing,
    }
    if folds:
        content["overall"] = {name: _spread([fold["mean"][name]["value"] for fold in folds]) for name in METRICS}
        content["overall_by_class"] = {
            name: {m: _spread([fold["classes"][name][m]["value"] for fold in folds]) for m in CLASS_METRICS}
            for name in classes
        }
        everything = joined([counts[fold["name"]] for fold in folds])
        content["all_frames"] = listed_scores(everything, classes, Resampling.draw(everything.groups))
    return content


def write_report(study: CrossValidation, counts: dict[str, FrameCounts]) -> dict[str, Any]:
    """Writes crossval.json, crossval.md and, with a trained fold, crossval.png into the set's folder."""
    content = summarise(study, counts)
    folder = study.runs.folder
    write_text(folder / "crossval.json", json.dumps(content, indent=1) + "\n")
    write_text(folder / "crossval.md", markdown(content))
    if counts:
        write_figure(content, counts, folder / "crossval.png")
    return content


def markdown(content: dict[str, Any]) -> str:
    """A table a fold, and the mean and standard deviation over the folds."""
    classes = content["classes"]
    several = len(classes) > 1
    heads = [f"{metric} {name}" for name in classes for metric in ("Dice", "IoU")] + (["Dice mean"] if several else [])
    rows = [["fold", "held out", "frames", *heads, "accuracy", "training (min)"]]
    for fold in content["folds"]:
        cells = [_cell(fold["classes"][name][metric]) for name in classes for metric in ("dice", "iou")]
        cells += [_cell(fold["mean"]["dice"])] if several else []
        minutes = "" if fold["train_seconds"] is None else f"{fold['train_seconds'] / 60:.1f}"
        accuracy = f"{fold['mean']['accuracy']['value']:.4f}"
        rows.append([fold["name"], _short(fold["held_out"]), str(fold["n"]), *cells, accuracy, minutes])
    if "overall" in content:
        by_class = content["overall_by_class"]
        cells = [_mean_sd(by_class[name][metric]) for name in classes for metric in ("dice", "iou")]
        cells += [_mean_sd(content["overall"]["dice"])] if several else []
        frames = sum(fold["n"] for fold in content["folds"])
        rows.append(["**mean ± sd**", "", str(frames), *cells, _mean_sd(content["overall"]["accuracy"]), ""])
    title = f"# Cross-validation of {content['preset']} over the groups of {content['data_set']}"
    lines = [title, "", *markdown_table(rows), ""]
    lines.append("Dice and IoU are means over frames with 95 % bootstrap intervals; sd is over the folds.")
    if content["folds_not_trained"]:
        lines.append(f"Not trained yet: {', '.join(content['folds_not_trained'])}.")
    return "\n".join(lines) + "\n"


def write_figure(content: dict[str, Any], counts: dict[str, FrameCounts], path: Path) -> Path:
    """Every frame's Dice as a point, fold by fold, with each fold's mean and interval; one panel a class."""
    classes, folds = content["classes"], content["folds"]
    with style():
        width = max(4.2, 1.4 + 0.75 * len(folds))
        figure = Figure(figsize=(width * len(classes), 3.9), layout="constrained")
        panels = figure.subplots(1, len(classes), squeeze=False, sharey=True)[0]
        for index, (name, axes) in enumerate(zip(classes, panels, strict=True)):
            points = [frame_dice(counts[fold["name"]].confusion)[:, index] for fold in folds]
            _panel(axes, points, [fold["classes"][name]["dice"] for fold in folds], index)
            overall = content["overall_by_class"][name]["dice"]
            axes.axhline(overall["mean"], color=INK, lw=1, ls="--")
            axes.set_title(f"{name}: Dice {_mean_sd(overall)}")
            means = [fold["classes"][name]["dice"]["value"] for fold in folds]
            ticks = [f"{f['name']}\n{mean:.3f}\n{f['n']} frames" for f, mean in zip(folds, means, strict=True)]
            axes.set_xticks(range(len(folds)), ticks)
        lowest = min(float(frame_dice(found.confusion).min()) for found in counts.values())
        panels[0].set_ylim(min(0.8, lowest) - 0.03, 1.02)
        panels[0].set_ylabel("Dice of a held-out frame")
        return save_figure(figure, path, content)


def _panel(axes: Axes, points: Sequence[F64], means: Sequence[dict[str, float]], index: int) -> None:
    rng = np.random.default_rng(0)
    for place, (dice, mean) in enumerate(zip(points, means, strict=True)):
        beside = place + rng.uniform(-0.28, 0.28, len(dice))
        axes.scatter(beside, dice, s=9, color=colour(index), alpha=0.35, linewidths=0)
        axes.vlines(place, mean["low"], mean["high"], color=INK, lw=1.8, zorder=3)
        axes.plot(place, mean["value"], "o", color=INK, ms=5, zorder=4)
    axes.set_xlim(-0.5, len(points) - 0.5)
    axes.grid(visible=True, axis="y")


def _fold(study: CrossValidation, fold: Fold, counts: FrameCounts, classes: list[str]) -> dict[str, Any]:
    head = {
        "name": fold.name,
        "held_out": list(fold.held_out),
        "start_from": study.runs.status(fold.name).start_from,
        "train_seconds": study.runs.train_seconds(fold.name),
    }
    return head | listed_scores(counts, classes, Resampling.draw(counts.groups))


def _spread(values: list[float]) -> dict[str, float | None]:
    """Mean over the folds, and their standard deviation (n - 1), which one fold does not have."""
    sd = round(float(np.std(values, ddof=1)), 4) if len(values) > 1 else None
    return {"mean": round(float(np.mean(values)), 4), "sd": sd, "min": min(values), "max": max(values)}


def _cell(score: dict[str, float]) -> str:
    return f"{score['value']:.4f} ({score['low']:.3f} to {score['high']:.3f})"


def _mean_sd(spread: dict[str, float | None]) -> str:
    return f"{spread['mean']:.4f}" + ("" if spread["sd"] is None else f" ± {spread['sd']:.4f}")


def _short(names: list[str]) -> str:
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
