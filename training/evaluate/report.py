"""report.json for programs, report.md for people."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from training.evaluate.drops import Drop
from training.evaluate.results import Evaluation, SetResult
from training.evaluate.robustness import CORRUPTIONS, SEVERITIES
from training.evaluate.summary import Summary
from training.metrics.bootstrap import Interval
from training.metrics.thresholds import PERCENTS, ThresholdCurve

FORMAT = 1
FEW_GROUPS = 10

_COLUMNS = {
    "dice": "Dice",
    "iou": "IoU",
    "nsd": "NSD",
    "hd95_percent": "HD95, % of diagonal",
    "precision": "precision",
    "recall": "recall",
    "specificity": "specificity",
    "accuracy": "accuracy",
    "dice_pooled": "Dice pooled",
    "iou_pooled": "IoU pooled",
    "hd95_px": "HD95, pixels",
}
_DECIMALS = {"hd95_percent": 1, "hd95_px": 1}
_TABLES = (
    ("dice", "iou", "nsd", "hd95_percent"),
    ("precision", "recall", "specificity", "accuracy"),
    ("dice_pooled", "iou_pooled", "hd95_px"),
)


def write_report(evaluation: Evaluation, out: Path) -> None:
    (out / "report.json").write_text(json.dumps(as_json(evaluation), indent=1) + "\n")
    (out / "report.md").write_text(as_markdown(evaluation))


def as_json(evaluation: Evaluation) -> dict[str, Any]:
    """Every number, and the options that made it."""
    model, options = evaluation.model, evaluation.options
    return {
        "format": FORMAT,
        "model": {
            "label": model.label,
            "source": evaluation.source,
            "classes": [entry.name for entry in model.classes],
            "input": asdict(model.spec),
            "threshold": model.threshold,
            "preset": model.preset.name,
            "backend": model.backend.name,
            "provider": model.backend.provider,
            "precision": model.backend.precision,
        },
        "options": {
            "max_frames": options.max_frames,
            "nsd_tolerance_share": options.tolerance,
            "resamples": options.resamples,
            "seed": options.seed,
        },
        "manifest": None if evaluation.manifest is None else asdict(evaluation.manifest),
        "sets": [asdict(result) | {"use": result.use.model_dump(mode="json")} for result in evaluation.sets],
    }


def as_markdown(evaluation: Evaluation) -> str:
    model, options = evaluation.model, evaluation.options
    backend = f"{model.backend.name}, {model.backend.provider}, {model.backend.precision}"
    size = f"{model.spec.width}x{model.spec.height}, {model.spec.resize}"
    lines = [
        f"# {model.label}",
        "",
        f"`{evaluation.source}`, run by {backend}; input {size}; threshold {model.threshold:g}. "
        f"Values are followed by their 95 % bootstrap interval ({options.resamples} resamples, seed {options.seed}). "
        f"NSD tolerance: {100 * options.tolerance:g} % of the frame's diagonal. "
        "docs/training/evaluate.md defines every score.",
    ]
    if evaluation.manifest is not None:
        lines += ["", f"The numbers are {evaluation.manifest.sentence}."]
    for result in evaluation.sets:
        lines += ["", *_set_section(result, [entry.name for entry in model.classes])]
    return "\n".join(lines) + "\n"


def _set_section(result: SetResult, names: Sequence[str]) -> list[str]:
    speed = f"{result.milliseconds:g} ms each (median, beside whatever else the machine did)"
    lines = [f"## {result.label}", "", f"{result.frames} frames, {speed}. {_drawn(result)}"]
    for metrics in _TABLES:
        lines += ["", *_score_table(result.scores, metrics)]
    lines += ["", f"![Best, median and worst frames]({result.pictures['panels']})"]
    lines += ["", "Pixels by true class (rows) and predicted class (columns):", ""]
    lines += _table(["truth", *names], [[n, *map(str, row)] for n, row in zip(names, result.confusion, strict=True)])
    lines += ["", f"![Confusion matrix]({result.pictures['confusion']})"]
    if result.thresholds is not None:
        lines += ["", *_threshold_table(result.thresholds), "", f"![Thresholds]({result.pictures['thresholds']})"]
    if result.robustness:
        lines += ["", *_drop_table(result.robustness), "", f"![Robustness]({result.pictures['robustness']})"]
    return lines


def _drawn(result: SetResult) -> str:
    """What the intervals mean on this set."""
    whole = result.scores[-1]
    groups = {summary.group for summary in result.scores} - {whole.group}
    if whole.resampled == "frame":
        return "Intervals draw frames: they tell of new frames like these, not of new operations or clips."
    few = "; with so few they are rough" if len(groups) < FEW_GROUPS else ""
    return f"Intervals of the whole draw its {len(groups)} groups, those of a group its frames{few}."


def _score_table(scores: Sequence[Summary], metrics: Sequence[str]) -> list[str]:
    header = ["group", "class", "n", "with class", *(_COLUMNS[metric] for metric in metrics)]
    rows = []
    for s in scores:
        cells = [cell(s.scores[metric], _DECIMALS.get(metric, 3)) for metric in metrics]
        rows.append([s.group, s.class_name, str(s.n), str(s.n_with_class), *cells])
    return _table(header, rows)


def _threshold_table(curve: ThresholdCurve) -> list[str]:
    shown = [i for i, percent in enumerate(PERCENTS) if percent % 10 == 0 or percent in (5, 95, curve.best_percent)]
    rows = [
        [f"{curve.percents[i]} %", f"{curve.dice[i]:.3f}", f"{curve.precision[i]:.3f}", f"{curve.recall[i]:.3f}"]
        for i in shown
    ]
    note = (
        f"Highest Dice {curve.best_dice:.3f} at {curve.best_percent} %, chosen on these very frames: "
        "a hint for new data, not applied."
    )
    return [*_table(["threshold", "Dice", "precision", "recall"], rows), "", note]


def _drop_table(drops: Sequence[Drop]) -> list[str]:
    found = {(drop.corruption, drop.severity): drop for drop in drops}
    header = ["drop of Dice", *(f"severity {severity}" for severity in SEVERITIES)]
    return _table(header, [[name, *(cell(found[name, s].drop, 3) for s in SEVERITIES)] for name in CORRUPTIONS])


def cell(score: Interval, decimals: int) -> str:
    return f"{score.value:.{decimals}f} ({score.low:.{decimals}f} to {score.high:.{decimals}f})"


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(line)} |" for line in (header, ["---"] * len(header), *rows)]
