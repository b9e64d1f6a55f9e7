"""Smooth functions of time: what moves, moves without a jump, and any moment can be asked for alone."""

from dataclasses import dataclass
from typing import Self

import numpy as np


@dataclass(frozen=True)
class Wander:
    """A value that drifts about `centre` by up to about `reach`: a sum of slow sines of time in seconds."""

    centre: float
    amplitudes: tuple[float, ...]
    rates_hz: tuple[float, ...]
    phases: tuple[float, ...]

    @classmethod
    def draw(cls, rng: np.random.Generator, centre: float, reach: float, rate_hz: float) -> Self:
        """Three sines about `rate_hz`, half of `reach` in the slowest."""
        shares = (0.5, 0.3, 0.2)
        return cls(
            centre,
            tuple(reach * share for share in shares),
            tuple(float(rate_hz * factor * rng.uniform(0.8, 1.25)) for factor in (0.5, 1.0, 1.9)),
            tuple(float(phase) for phase in rng.uniform(0, 2 * np.pi, 3)),
        )

    def at(self, time_s: float) -> float:
        """The value at a time in seconds."""
        waves = zip(self.amplitudes, self.rates_hz, self.phases, strict=True)
        return self.centre + sum(size * float(np.sin(2 * np.pi * rate * time_s + phase)) for size, rate, phase in waves)


def ease(position: float) -> float:
    """0 before 0, 1 after 1, smooth between."""
    x = min(max(position, 0.0), 1.0)
    return x * x * (3 - 2 * x)
