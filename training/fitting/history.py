"""The history of a run: one CSV row an epoch, and a plot."""

import csv
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import lightning as lt
from lightning.pytorch.utilities import rank_zero_only
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from typing_extensions import override

from training.figures.style import colour, save_figure, style

CSV_NAME = "history.csv"
PLOT_NAME = "history.png"
SCORES = ("loss", "dice", "miou", "accuracy")
WATCHED = [f"{part}_{score}" for part in ("train", "val") for score in SCORES]
COLUMNS = ["epoch", *WATCHED, "learning_rate", "seconds"]


class History(lt.Callback):
    """Appends after each epoch, so that a killed run leaves what it did; a resumed one drops rows it does again."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._started = time.monotonic()

    @override
    @rank_zero_only
    def on_train_start(self, trainer: lt.Trainer, pl_module: lt.LightningModule) -> None:
        self._started = time.monotonic()  # Lightning begins no epoch in the first one after a resume
        path = self._folder / CSV_NAME
        kept = [row for row in read_history(path) if int(row["epoch"]) < trainer.current_epoch] if path.exists() else []
        _write(path, kept)

    @override
    def on_train_epoch_start(self, trainer: lt.Trainer, pl_module: lt.LightningModule) -> None:
        self._started = time.monotonic()

    @override
    @rank_zero_only
    def on_train_epoch_end(self, trainer: lt.Trainer, pl_module: lt.LightningModule) -> None:
        row: dict[str, Any] = {"epoch": trainer.current_epoch, "seconds": round(time.monotonic() - self._started, 1)}
        row["learning_rate"] = trainer.optimizers[0].param_groups[-1]["lr"]
        for name in WATCHED:
            if name in trainer.callback_metrics:
                row[name] = round(float(trainer.callback_metrics[name]), 5)
        path = self._folder / CSV_NAME
        rows = [*read_history(path), row]
        _write(path, rows)
        plot(rows, self._folder / PLOT_NAME)


def read_history(path: Path) -> list[dict[str, Any]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def plot(rows: list[dict[str, Any]], path: Path, test: Mapping[str, float] | None = None) -> None:
    """Left the losses, right Dice and mean IoU; `test` (loss, dice, miou, accuracy) is a row of text below."""
    with style():
        figure = Figure(figsize=(9.6, 4.0 if test else 3.7), layout="constrained")
        left, right = figure.subplots(1, 2)
        _lines(left, rows, {"train_loss": (0, "-", "train"), "val_loss": (1, "-", "validation")})
        scores = {
            "train_dice": (0, "-", "Dice, train"),
            "train_miou": (0, "--", "mean IoU, train"),
            "val_dice": (1, "-", "Dice, validation"),
            "val_miou": (1, "--", "mean IoU, validation"),
        }
        _lines(right, rows, scores)
        left.set(title="Loss", ylabel="loss")
        right.set(title="Scores", ylabel="Dice, mean IoU", ylim=(0, 1))
        if test:
            names = (("loss", "loss"), ("Dice", "dice"), ("mean IoU", "miou"), ("accuracy", "accuracy"))
            figure.supxlabel("test:   " + "   ".join(f"{name} {test[key]:.4f}" for name, key in names), fontsize=10.5)
        save_figure(figure, path, {"epochs": rows, "test": dict(test) if test else None})


def _lines(axes: Axes, rows: list[dict[str, Any]], columns: dict[str, tuple[int, str, str]]) -> None:
    for name, (index, dashes, label) in columns.items():
        points = [(int(row["epoch"]) + 1, float(row[name])) for row in rows if row.get(name) not in (None, "")]
        if points:
            marker = "o" if len(points) == 1 else ""
            axes.plot(*zip(*points, strict=True), color=colour(index), ls=dashes, lw=1.7, marker=marker, label=label)
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(visible=True)
    if axes.lines:
        axes.legend()


def _write(path: Path, rows: list[dict[str, Any]]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
