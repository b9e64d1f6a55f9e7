"""Flicker: a class that comes or goes for a moment only, which instruments and polyps don't do."""

from dataclasses import dataclass

import numpy as np

from service.video.over_time.analysis import Flags, Floats

LONGEST_FLICKER_S = 0.2
"""A state that lasts longer is believed."""
_ROUNDING_S = 1e-3


@dataclass(frozen=True, slots=True)
class Flicker:
    """Flickers are runs of neighbouring rows, seen or not seen, that last at most 0.2 s and have the other state before
    and after them. All None when rows lie further apart than that, so that it can't be told."""

    flickers: int | None
    per_minute: float | None
    """flickers / minutes that the rows stand."""
    share: float | None
    """Rows in flickers / all rows."""


def measure_flicker(durations_s: Floats, seen: Flags) -> Flicker:
    """`durations_s`: how long each row stands."""
    if not len(seen) or float(np.median(durations_s)) > LONGEST_FLICKER_S + _ROUNDING_S:
        return Flicker(None, None, None)
    starts = np.flatnonzero(np.diff(seen.astype(np.int8), prepend=-1))
    lengths = np.diff(starts, append=len(seen))
    lasting = np.add.reduceat(durations_s, starts)
    short = lasting <= LONGEST_FLICKER_S + _ROUNDING_S
    short[[0, -1]] = False  # what was before the first run and comes after the last is not known
    minutes = float(durations_s.sum()) / 60
    count, rows = int(short.sum()), int(lengths[short].sum())
    return Flicker(count, round(count / minutes, 3) if minutes else None, round(rows / len(seen), 6))
