"""What a finished run leaves: scores on the test sets, and pictures of predictions."""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch

from service.imaging.geometry import U8
from training.config import Preset
from training.figures import Panel, write_panels
from training.fitting.checkpoints import Trained
from training.fitting.frames import Pair
from training.fitting.history import CSV_NAME, PLOT_NAME, plot, read_history
from training.fitting.module import labels
from training.fitting.tally import Watched, confusion, frame_dice

TEST_FILE = "test.json"
PREDICTIONS_FILE = "predictions.png"
PICTURES = 6


def write_test(folder: Path, preset: Preset, checkpoint: Path, watched: Watched) -> None:
    """test.json, and the history's plot with a row of the test's scores."""
    scores = asdict(watched)
    by_class = zip(preset.classes, scores.pop("class_iou"), scores.pop("class_dice"), strict=True)
    content = {
        "checkpoint": checkpoint.name,
        "test": [use.model_dump(mode="json", exclude_defaults=True) for use in preset.test],
        **{name: _rounded(value) for name, value in scores.items()},
        "classes": [{"name": c.name, "iou": _rounded(iou), "dice": _rounded(dice)} for c, iou, dice in by_class],
    }
    (folder / TEST_FILE).write_text(json.dumps(content, indent=2) + "\n")
    shown = {name: getattr(watched, name) for name in ("loss", "dice", "miou", "accuracy")}
    plot(read_history(folder / CSV_NAME), folder / PLOT_NAME, shown)


def draw_predictions(folder: Path, trained: Trained, pairs: list[Pair]) -> Path:
    """Frame, truth and prediction of a few of `pairs`, evenly spread, at the model's size."""
    chosen = [pairs[i] for i in sorted({round(i) for i in np.linspace(0, len(pairs) - 1, PICTURES)})]
    rows = [_panel(trained, image, truth) for image, truth in chosen]
    classes = trained.preset.classes
    palette = [(int(c.colour[1:3], 16), int(c.colour[3:5], 16), int(c.colour[5:7], 16)) for c in classes]
    title = f"{trained.preset.name} after epoch {trained.epochs}: validation frames"
    return write_panels(rows, palette, [c.name for c in classes], folder / PREDICTIONS_FILE, title)


def _panel(trained: Trained, image: U8, truth: U8) -> Panel:
    with torch.inference_mode():
        logits = trained.net(torch.from_numpy(image).permute(2, 0, 1).unsqueeze(0))
    predicted = labels(logits, trained.preset.threshold)
    matrices = confusion(predicted, torch.from_numpy(truth).unsqueeze(0), len(trained.preset.classes))
    dice = float(frame_dice(matrices)[0])
    return Panel(image, predicted[0].numpy().astype(np.uint8), truth, f"Dice {dice:.3f}", {"dice": round(dice, 5)})


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)
