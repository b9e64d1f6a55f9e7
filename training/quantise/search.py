"""Which layers an INT8 file keeps in float: found by leaving blocks of them out, one at a time, on training frames."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from training.quantise.layers import blocks

BLOCKS = 10
"""Neighbouring layers that are tried together: the first trial of each costs one file and a few runs."""
MOST_KEPT = 4
"""Blocks that may stay in float; with more, little would be left to gain."""

Distance = Callable[[Path], float]
"""An INT8 file -> how far its masks are from FP32's (0 is equal)."""
Write = Callable[[Path, list[str]], None]


@dataclass(frozen=True)
class Choice:
    """Layers to keep in float, how far the masks are then, and how far with none kept."""

    keep_float: list[str]
    distance: float
    distance_of_all_int8: float


def choose_float_layers(layers: list[str], write: Write, distance: Distance, target: float) -> Choice:
    """Nothing is kept when `target` is met without. Else each block alone is kept in float once, and the blocks that
    help most are kept together, one more at a time, until the target is met or nothing is gained.

    At most 1 + BLOCKS + MOST_KEPT - 1 files are tried. Returns the best that was seen.
    """
    with tempfile.TemporaryDirectory(prefix="endomask-search-") as folder:
        trial = Path(folder) / "trial.onnx"

        def attempt(keep: list[str]) -> float:
            write(trial, keep)
            return distance(trial)

        start = attempt([])
        best = Choice([], start, start)
        if start <= target:
            return best
        ranked = sorted((attempt(block), i, block) for i, block in enumerate(blocks(layers, BLOCKS)))
        kept: list[str] = []
        for alone, _, block in ranked[:MOST_KEPT]:
            kept = [*kept, *block]
            found = alone if kept == block else attempt(kept)
            if found >= best.distance:
                break
            best = Choice(kept, found, start)
            if found <= target:
                break
        return best
