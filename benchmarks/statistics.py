"""The few numbers that measurements are reduced to, and the order in which what is compared takes its turns."""

from collections.abc import Sequence
from statistics import median
from typing import TypeVar

import numpy as np

T = TypeVar("T")


def latency(milliseconds: Sequence[float]) -> dict[str, float]:
    """Percentiles, linear between the closest ranks; empty without a value."""
    if not milliseconds:
        return {}
    p50, p95, p99 = np.percentile(np.asarray(milliseconds), (50, 95, 99)).tolist()
    return {"p50": round(p50, 3), "p95": round(p95, 3), "p99": round(p99, 3)}


def turns(contenders: Sequence[T], round_number: int) -> list[T]:
    """The order of one round: every second one runs the one before backwards, and every pair begins with the next
    contender, so that a machine that slows down, and a neighbour's heat, meet all alike."""
    if not contenders:
        return []
    start = round_number // 2 % len(contenders)
    order = [*contenders[start:], *contenders[:start]]
    return order[::-1] if round_number % 2 else order


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median over the rounds, with the lowest and the highest; empty without a value."""
    if not values:
        return {}
    return {"median": round(median(values), 3), "low": round(min(values), 3), "high": round(max(values), 3)}


def ratio(numerators: Sequence[float], denominators: Sequence[float]) -> float | None:
    """Median over the rounds of one value through the other of the same round; None without a pair."""
    pairs = [(above, below) for above, below in zip(numerators, denominators, strict=False) if below]
    return round(median(above / below for above, below in pairs), 3) if pairs else None
