"""What a comparison says: table, JSON, Markdown, figure, and a confusion matrix of each candidate."""

import json
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.table import Table

from training.errors import TrainingError
from training.figures import write_confusion
from training.figures.bubbles import Bubble, write_bubbles
from training.metrics.bootstrap import Resampling, interval
from training.studies.compare import Comparison, Measured, Metric
from training.studies.framescores import METRICS, frame_weights, listed_scores, mean_scores
from training.studies.runset import markdown_table, write_text

TITLES = {"iou": "IoU", "dice": "Dice", "accuracy": "accuracy", "precision": "precision", "recall": "recall"}


def summarise(study: Comparison, rows: list[Measured], metric: Metric, failed: list[str]) -> dict[str, Any]:
    """Contents of compare.json: best candidate first; differences are to the best, on the same resamples."""
    ids = rows[0].counts.ids
    if any(row.counts.ids != ids for row in rows):
        raise TrainingError("the candidates were not scored on the same frames")
    drawn = Resampling.draw(rows[0].counts.groups)
    means = [mean_scores(row.counts.confusion, frame_weights(drawn))[metric] for row in rows]
    order = sorted(range(len(rows)), key=lambda index: -float(means[index][0]))
    classes = [entry.name for entry in study.first.classes[1:]]
    return {
        "data": [use.model_dump(mode="json") for use in study.first.test],
        "frames": len(ids),
        "resampled": drawn.unit,
        "metric": metric,
        "classes": classes,
        "candidates": [
            _entry(rows[index], listed_scores(rows[index].counts, classes, drawn))
            | {"difference_to_best": None if index == order[0] else asdict(interval(means[index] - means[order[0]]))}
            for index in order
        ],
        "failed": failed,
    }


def write_report(study: Comparison, rows: list[Measured], metric: Metric, failed: list[str]) -> dict[str, Any]:
    """compare.json, compare.md, compare.png and confusion-NAME.png in the comparison's folder."""
    content = summarise(study, rows, metric, failed)
    write_text(study.folder / "compare.md", markdown(content))
    bubbles = [
        Bubble(
            entry["name"],
            entry["ms_a_frame"]["median"],
            (entry["mean"][metric]["value"], entry["mean"][metric]["low"], entry["mean"][metric]["high"]),
            entry["parameters"] / 1e6,
        )
        for entry in content["candidates"]
    ]
    write_bubbles(
        bubbles,
        study.folder / "compare.png",
        content,
        xlabel="time of one frame (ms)",
        ylabel=f"{TITLES[metric]} (95 % interval)",
        sizes="parameters",
        title=f"{content['frames']} frames of {', '.join(sorted({use['data'] for use in content['data']}))}",
    )
    write_text(study.folder / "compare.json", json.dumps(content, indent=1) + "\n")
    names = [entry.name for entry in study.first.classes]
    for row in rows:
        name = row.candidate.name
        write_confusion(row.counts.confusion.sum(axis=0), names, study.folder / f"confusion-{name}.png", name)
    return content


def print_table(content: dict[str, Any], console: Console) -> None:
    """Without the intervals of the scores, which would not fit; the best first."""
    heads, *rows = _cells(content)
    table = Table(title=f"{content['frames']} frames; interval over {content['resampled']}s")
    for head in heads:
        table.add_column(head, no_wrap=True)
    for index, row in enumerate(rows):
        cells = [*(cell.split(" (")[0] for cell in row[:-1]), row[-1]]
        table.add_row(*cells, style="bold" if index == 0 else "")
    console.print(table)


def markdown(content: dict[str, Any]) -> str:
    data = ", ".join(f"{use['data']} ({use['split']})" for use in content["data"])
    backends = sorted({entry["backend"] for entry in content["candidates"]})
    lines = [f"# Comparison on {content['frames']} frames of {data}", "", *markdown_table(_cells(content)), ""]
    lines.append(
        f"Means over the foreground's classes with 95 % bootstrap intervals, {content['resampled']}s resampled; the "
        "difference is paired, on the same resamples. Time is the median of runs in turns "
        f"({'; '.join(backends)}); MACs are of convolutions and matrix products."
    )
    lines += [f"Failed: {sentence}" for sentence in content["failed"]]
    return "\n".join(lines) + "\n"


def _entry(row: Measured, scores: dict[str, Any]) -> dict[str, Any]:
    preset, size, model = row.candidate.preset, row.size, row.candidate.model
    packaged = model is not None and (model / "manifest.json").is_file()
    return {
        "name": row.candidate.name,
        "trained_here": row.candidate.model is None,
        "net": None if packaged else preset.net.model_dump(mode="json"),
        "input": {"height": row.spec.height, "width": row.spec.width, "resize": row.spec.resize},
        "parameters": size.parameters,
        "macs": size.macs,
        "file_bytes": size.file_bytes,
        "train_seconds": row.train_seconds,
        "ms_a_frame": asdict(row.timing),
        "backend": row.backend,
        "confusion": row.counts.confusion.sum(axis=0).tolist(),
        **scores,
    }


def _cells(content: dict[str, Any]) -> list[list[str]]:
    """Heads, then a row a candidate."""
    heads = ["candidate", "input", "params (M)", "MACs (G)", "file (MB)", "training (min)", "ms a frame"]
    heads += [TITLES[name] for name in METRICS] + [f"{TITLES[content['metric']]} to best"]
    return [heads, *(_row(entry) for entry in content["candidates"])]


def _row(entry: dict[str, Any]) -> list[str]:
    minutes = "" if entry["train_seconds"] is None else f"{entry['train_seconds'] / 60:.1f}"
    difference = entry["difference_to_best"]
    return [
        entry["name"],
        f"{entry['input']['width']}x{entry['input']['height']}",
        f"{entry['parameters'] / 1e6:.2f}",
        f"{entry['macs'] / 1e9:.2f}",
        f"{entry['file_bytes'] / 1e6:.1f}",
        minutes,
        f"{entry['ms_a_frame']['median']:.1f}",
        *(_interval(entry["mean"][name]) for name in METRICS),
        "best" if difference is None else _interval(difference, "+"),
    ]


def _interval(score: dict[str, float], sign: str = "") -> str:
    return f"{score['value']:{sign}.4f} ({score['low']:{sign}.3f} to {score['high']:{sign}.3f})"
