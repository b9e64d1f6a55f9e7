"""Scores as a table on the terminal."""

from rich.console import Console
from rich.table import Table

from service.manifest import Score


def print_scores(scores: list[Score]) -> None:
    table = Table("data", "group", "class", "n", "Dice", "Dice pooled", "IoU", "precision", "recall")
    for s in scores:
        numbers = [f"{value:.4f}" for value in (s.dice, s.dice_pooled, s.iou, s.precision, s.recall)]
        table.add_row(s.dataset, s.group, s.class_name, str(s.n), *numbers)
    Console(width=120).print(table)
