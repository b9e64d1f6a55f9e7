"""The history of a run: one CSV row an epoch, and a plot."""

import csv
import time
from pathlib import Path
from typing import Any

import lightning as lt
import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from typing_extensions import override

CSV_NAME = "history.csv"
PLOT_NAME = "history.png"
COLUMNS = ["epoch", "train_loss", "val_loss", "val_dice", "learning_rate", "seconds"]


class History(lt.Callback):
    """Appends after each epoch, so that a killed run leaves what it did; a resumed one drops rows it does again."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._started = time.monotonic()

    @override
    def on_train_start(self, trainer: lt.Trainer, pl_module: lt.LightningModule) -> None:
        path = self._folder / CSV_NAME
        kept = [row for row in read_history(path) if int(row["epoch"]) < trainer.current_epoch] if path.exists() else []
        _write(path, kept)

    @override
    def on_train_epoch_start(self, trainer: lt.Trainer, pl_module: lt.LightningModule) -> None:
        self._started = time.monotonic()

    @override
    def on_train_epoch_end(self, trainer: lt.Trainer, pl_module: lt.LightningModule) -> None:
        row: dict[str, Any] = {"epoch": trainer.current_epoch, "seconds": round(time.monotonic() - self._started, 1)}
        row["learning_rate"] = trainer.optimizers[0].param_groups[-1]["lr"]
        for name in ("train_loss", "val_loss", "val_dice"):
            if name in trainer.callback_metrics:
                row[name] = round(float(trainer.callback_metrics[name]), 5)
        path = self._folder / CSV_NAME
        rows = [*read_history(path), row]
        _write(path, rows)
        plot(rows, self._folder / PLOT_NAME)


def read_history(path: Path) -> list[dict[str, Any]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def plot(rows: list[dict[str, Any]], path: Path) -> None:
    """Losses on the left axis, validation Dice on the right."""
    figure, left = plt.subplots(figsize=(8, 4.5), layout="constrained")
    right = left.twinx()
    for name, axis, colour in (
        ("train_loss", left, "tab:blue"),
        ("val_loss", left, "tab:cyan"),
        ("val_dice", right, "tab:orange"),
    ):
        points = [(int(row["epoch"]) + 1, float(row[name])) for row in rows if row.get(name) not in (None, "")]
        axis.plot([x for x, _ in points], [y for _, y in points], color=colour, label=name, marker=".")
    left.set(xlabel="epoch", ylabel="loss")
    right.set(ylabel="validation Dice (mean over frames)", ylim=(0, 1))
    figure.legend(loc="lower center", bbox_to_anchor=(0.5, 0.12))
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _write(path: Path, rows: list[dict[str, Any]]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
