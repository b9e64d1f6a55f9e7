"""How the parts of a class move over the picture: centroids followed from row to row."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from service.video.over_time.analysis import Distribution, Floats, distribution

Point = Sequence[float]
"""x, y in frame pixels."""

LONGEST_STEP = 0.2
"""Share of the frame's diagonal; centroids further apart are taken for two different parts."""
_DECIMALS = 3


@dataclass(frozen=True, slots=True)
class Motion:
    """Of all parts of a class, in pixels of the frame (not square where `pixel_aspect` is not 1:1)."""

    path_px: float
    """Length of the ways of all parts together."""
    path_diagonals: float
    """The same in diagonals of the frame."""
    followed_s: float
    """Time over which at least one part was followed."""
    speed_px_s: Distribution
    """Over the rows in which a part was followed; where several were, their mean."""


def match(before: Sequence[Point], now: Sequence[Point], longest: float) -> list[float]:
    """Distances between the centroids of two rows that belong together.

    Nearest neighbours, one to one: of all pairs no further apart than `longest`, the nearest is taken first, then the
    nearest of what is left. Parts that appear or disappear are in no pair.
    """
    pairs = sorted((math.dist(a, b), i, j) for i, a in enumerate(before) for j, b in enumerate(now))
    left, right, found = set(range(len(before))), set(range(len(now))), []
    for distance, i, j in pairs:
        if distance <= longest and i in left and j in right:
            left.remove(i)
            right.remove(j)
            found.append(distance)
    return found


class Follower:
    """Adds to each row how far and how fast its parts moved since the row before; rows come in their order."""

    def __init__(self, class_names: list[str], diagonal_px: float) -> None:
        self._names = class_names
        self._longest = LONGEST_STEP * diagonal_px
        self._before: dict[str, Any] | None = None

    def complete(self, row: dict[str, Any]) -> None:
        """Set `<class>_moved_px` and `<class>_speed_px_s`; they stay None where no part is followed."""
        before, self._before = self._before, row
        if before is None or (seconds := row["time_s"] - before["time_s"]) <= 0:
            return
        for name in self._names:
            steps = match(before[f"{name}_centroids"], row[f"{name}_centroids"], self._longest)
            if steps:
                row[f"{name}_moved_px"] = round(sum(steps), _DECIMALS)
                row[f"{name}_speed_px_s"] = round(sum(steps) / len(steps) / seconds, _DECIMALS)


def summarise_motion(times_s: Floats, moved_px: Floats, speed_px_s: Floats, diagonal_px: float) -> Motion:
    """Columns of the rows, NaN where no part was followed."""
    followed = ~np.isnan(moved_px)
    since_last = np.diff(times_s, prepend=times_s[:1])
    path = float(moved_px[followed].sum())
    return Motion(
        path_px=round(path, 1),
        path_diagonals=round(path / diagonal_px, 3),
        followed_s=round(float(since_last[followed].sum()), 3),
        speed_px_s=distribution(speed_px_s[followed]),
    )
