"""Which layers an INT8 file keeps in float: found by leaving them out, blocks first and then single ones, on training
frames."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from training.quantise.layers import blocks

BLOCKS = 10
"""Neighbouring layers that are tried together: the first trial of each costs one file and a few runs."""
MOST_KEPT = 4
"""Blocks or layers that may be kept together; with more, little would be left to gain."""

Distance = Callable[[Path], float]
"""An INT8 file -> how far its masks are from FP32's (0 is equal)."""
Write = Callable[[Path, list[str]], None]


@dataclass(frozen=True)
class Choice:
    """Layers to keep in float, how far the masks are then, and how far with none kept."""

    keep_float: list[str]
    distance: float
    distance_of_all_int8: float


@dataclass(frozen=True)
class _Trial:
    kept: list[str]
    distance: float


def choose_float_layers(layers: list[str], write: Write, distance: Distance, target: float) -> Choice:
    """Nothing is kept when `target` is met without. Else each block is kept in float once, and of the block that helps
    most each layer once: often one or two layers cost most of it (the stem and the depthwise layer after it two thirds,
    in a U-Net on lite2), and their neighbours are slow in float. The layers that help most are kept together, one more
    at a time, while that helps; where they don't meet the target, the smallest block that does is kept; where none
    does, the best of all these together, one more at a time, until the target is met or nothing is gained.

    At most BLOCKS + the layers of a block + 2 * MOST_KEPT files are tried. Returns the best that was seen.
    """
    with tempfile.TemporaryDirectory(prefix="endomask-search-") as folder:
        path = Path(folder) / "trial.onnx"

        def attempt(keep: list[str]) -> _Trial:
            write(path, keep)
            return _Trial(keep, distance(path))

        start = attempt([])
        best = start if start.distance <= target else _search(layers, attempt, start, target)
    return Choice(best.kept, best.distance, start.distance)


def _search(layers: list[str], attempt: Callable[[list[str]], _Trial], start: _Trial, target: float) -> _Trial:
    trials = sorted((attempt(block) for block in blocks(layers, BLOCKS)), key=_distance)
    best_block, *others = trials
    singles = sorted((attempt([layer]) for layer in best_block.kept) if len(best_block.kept) > 1 else (), key=_distance)
    few = _together([start, *singles[:MOST_KEPT]], attempt, target)
    if few.distance <= target:
        return few
    if near := [trial for trial in trials if trial.distance <= target]:
        return min(near, key=lambda trial: (len(trial.kept), trial.distance))
    leader = min(few, best_block, key=_distance)
    return _together([start, leader, *others[: MOST_KEPT - 1]], attempt, target)


def _together(ranked: list[_Trial], attempt: Callable[[list[str]], _Trial], target: float) -> _Trial:
    """The first of `ranked`, with what the next ones keep added while each brings the masks nearer."""
    best = ranked[0]
    for added in ranked[1:]:
        trial = attempt([*best.kept, *added.kept]) if best.kept else added
        if trial.distance >= best.distance:
            break
        best = trial
        if best.distance <= target:
            break
    return best


def _distance(trial: _Trial) -> float:
    return trial.distance
