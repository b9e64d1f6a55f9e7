"""What a sweep says: one table as CSV, JSON and Markdown, and a figure; failed trials with their sentences."""

import csv
import io
import json
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from training.figures import write_bars
from training.figures.grid import write_grid
from training.studies.runset import markdown_table, write_text
from training.studies.sweep import Sweep, short_value


def write_report(study: Sweep, watch: str) -> dict[str, Any]:
    """sweep.csv, sweep.json, sweep.md, and sweep.png when at least one trial is trained."""
    rows = study.rows(watch)
    axes = [{"key": axis.key, "values": list(axis.values)} for axis in study.axes]
    content = {"preset": study.preset.name, "watched": watch, "axes": axes, "trials": rows}
    folder = study.runs.folder
    write_text(folder / "sweep.csv", _csv(content))
    write_text(folder / "sweep.md", markdown(content))
    if any(row["watched"] is not None for row in rows):
        _draw(study, content)
    write_text(folder / "sweep.json", json.dumps(content, indent=1) + "\n")
    return content


def markdown(content: dict[str, Any]) -> str:
    lines = [f"# Sweep of {content['preset']}", "", *markdown_table(_cells(content)), ""]
    lines.append(f"Best (bold) by {content['watched']} of the epoch that would be exported; no test data was used.")
    lines += [f"{row['name']} failed: {row['error']}" for row in content["trials"] if row["state"] == "failed"]
    return "\n".join(lines) + "\n"


def print_table(content: dict[str, Any], console: Console) -> None:
    heads, *rows = _cells(content)
    table = Table(*heads)
    for row, trial in zip(rows, content["trials"], strict=True):
        cells = [cell.replace("**", "") for cell in row]
        table.add_row(*cells, style="bold" if trial["best"] else "red" if trial["state"] == "failed" else "")
    console.print(table)


def _cells(content: dict[str, Any]) -> list[list[str]]:
    """Heads, then a row a trial, the best one bold."""
    keys = [axis["key"] for axis in content["axes"]]
    others = _history_columns(content)
    heads = [*keys, content["watched"], *others, "epoch", "training (min)", "state"]
    rows = []
    for trial in content["trials"]:
        history = trial["history"]
        cells = [short_value(trial["settings"][key]) for key in keys]
        cells += [_number(history.get(name)) for name in (content["watched"], *others)]
        cells += ["" if trial["epoch"] is None else f"{trial['epoch']} of {trial['epochs']}"]
        cells += ["" if trial["train_seconds"] is None else f"{trial['train_seconds'] / 60:.1f}"]
        cells += ["best" if trial["best"] else trial["state"]]
        rows.append([f"**{cell}**" if trial["best"] and cell else cell for cell in cells])
    return [heads, *rows]


def _history_columns(content: dict[str, Any]) -> list[str]:
    found = {name: None for trial in content["trials"] for name in trial["history"]}
    return [name for name in found if name != content["watched"]]


def _csv(content: dict[str, Any]) -> str:
    keys = [axis["key"] for axis in content["axes"]]
    columns = [content["watched"], *_history_columns(content)]
    fields = ["state", "best", "epoch", "epochs", "train_seconds", "error"]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["name", *keys, *columns, *fields])
    for trial in content["trials"]:
        settings = [trial["settings"][key] for key in keys]
        history = [trial["history"].get(name, "") for name in columns]
        writer.writerow([trial["name"], *settings, *history, *(trial[name] for name in fields)])
    return out.getvalue()


def _draw(study: Sweep, content: dict[str, Any]) -> None:
    path, watch, trials = study.runs.folder / "sweep.png", content["watched"], content["trials"]
    title = f"{study.preset.name}: {watch}"
    if len(study.axes) == 2 and len(trials) == len(study.axes[0].values) * len(study.axes[1].values):
        shape = (len(study.axes[0].values), len(study.axes[1].values))
        values = np.array([np.nan if t["watched"] is None else t["watched"] for t in trials]).reshape(shape)
        marks = np.array([t["state"] for t in trials]).reshape(shape)
        best = next(i for i, trial in enumerate(trials) if trial["best"])
        names = [[short_value(value) for value in axis.values] for axis in study.axes]
        labels = (study.axes[0].key, study.axes[1].key)
        write_grid(
            values, marks, names[0], names[1], path, content, labels=labels, title=title, best=divmod(best, shape[1])
        )
        return
    ranked = [trial for trial in trials if trial["watched"] is not None]
    groups = [", ".join(short_value(value) for value in trial["settings"].values()) for trial in ranked]
    scores = [trial["watched"] for trial in ranked]
    ylabel = f"{watch} ({', '.join(axis.key for axis in study.axes)})"
    write_bars(groups, {watch: scores}, path, ylabel=ylabel, title=title, decimals=3)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"
