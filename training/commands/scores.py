"""Scores as tables on the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:  # help must not wait for imports
    from service.manifest.record import Score
    from training.evaluate.drops import Drop
    from training.evaluate.summary import Summary
    from training.metrics.bootstrap import Interval

_WIDTH = 140


def print_scores(scores: list[Score]) -> None:
    """The rows of a manifest."""
    table = Table("data", "group", "class", "n", "Dice", "Dice pooled", "IoU", "precision", "recall")
    for s in scores:
        numbers = [f"{value:.4f}" for value in (s.dice, s.dice_pooled, s.iou, s.precision, s.recall)]
        table.add_row(s.dataset, s.group, s.class_name, str(s.n), *numbers)
    Console(width=120).print(table)


def print_summaries(scores: Sequence[Summary]) -> None:
    """Dice and IoU over their 95 % intervals; the other scores as they are. `pooled` is the Dice of all pixels."""
    table = Table("data", "group", "class", "n", "Dice", "IoU", "pooled", "precision", "recall", "NSD", "HD95 %")
    for s in scores:
        rest = [f"{s.scores[name].value:.4f}" for name in ("dice_pooled", "precision", "recall", "nsd")]
        distance = f"{s.scores['hd95_percent'].value:.1f}"
        sure = [_over_interval(s.scores[name]) for name in ("dice", "iou")]
        table.add_row(s.dataset, s.group, s.class_name, str(s.n), *sure, *rest, distance)
    Console(width=_WIDTH).print(table)


def print_drops(drops: Sequence[Drop]) -> None:
    """Drop of Dice, a row a corruption; nothing when none was measured."""
    if not drops:
        return
    table = Table("drop of Dice", "severity 1", "severity 2", "severity 3")
    for name in dict.fromkeys(drop.corruption for drop in drops):
        own = sorted((drop for drop in drops if drop.corruption == name), key=lambda drop: drop.severity)
        table.add_row(name, *(_with_interval(drop.drop) for drop in own))
    Console(width=_WIDTH).print(table)


def _over_interval(score: Interval) -> str:
    """On two lines, so that the columns stay narrow."""
    return f"{score.value:.4f}\n{score.low:.3f}..{score.high:.3f}"


def _with_interval(score: Interval) -> str:
    return f"{score.value:.4f} ({score.low:.3f}..{score.high:.3f})"
