"""How far apart two samples of one number lie. SciPy is the oracle in the tests; it is not needed to run."""

from dataclasses import dataclass

import numpy as np

from service.video.over_time.analysis import Floats

BINS = 10
EMPTY_BIN_FRAMES = 0.5
"""A bin without a frame counts as half a one, so that its logarithm exists and few frames don't make it huge."""
MODERATE, LARGE = 0.1, 0.25
"""Usual reading of a population stability index (Siddiqi, Credit Risk Scorecards, 2006)."""


@dataclass(frozen=True, slots=True)
class Distances:
    """Of a sample B from a sample A."""

    psi: float
    """Population stability index over A's deciles: 0 is alike; above 0.1 moderate, above 0.25 large."""
    psi_by_chance: float
    """What two samples of these sizes from one distribution would have on average (Yurdakul, 2018)."""
    wasserstein: float
    """1-Wasserstein (earth mover's) distance, in the feature's own unit."""
    wasserstein_in_sd: float | None
    """The same in standard deviations of A; None where A does not vary."""
    kolmogorov_smirnov: float
    """Largest distance of the cumulative distributions, 0..1."""
    reading: str
    """`small`, `moderate` or `large`, see `read_index`."""


def read_index(psi: float, psi_by_chance: float) -> str:
    """Of what is left of the index once chance is taken off: few frames alone make it large."""
    excess = psi - psi_by_chance
    return "large" if excess > LARGE else "moderate" if excess > MODERATE else "small"


def measure_distances(a: Floats, b: Floats) -> Distances:
    """Both float64 [n > 0]."""
    spread = float(a.std())
    distance = wasserstein(a, b)
    psi, by_chance = stability_index(a, b), (len(decile_edges(a)) - 2) * (1 / len(a) + 1 / len(b))
    return Distances(
        psi=round(psi, 6),
        psi_by_chance=round(by_chance, 6),
        wasserstein=round(distance, 6),
        wasserstein_in_sd=round(distance / spread, 6) if spread > 0 else None,
        kolmogorov_smirnov=round(kolmogorov_smirnov(a, b), 6),
        reading=read_index(psi, by_chance),
    )


def stability_index(a: Floats, b: Floats) -> float:
    """Sum over bins of (share_b - share_a) * ln(share_b / share_a).

    The bins are those of a package's reference distributions (`decile_edges` of A), the outer ones open.
    """
    edges = decile_edges(a)[1:-1]
    counts = [np.bincount(np.searchsorted(edges, v, side="right"), minlength=len(edges) + 1) for v in (a, b)]
    share_a, share_b = (np.maximum(count, EMPTY_BIN_FRAMES) / count.sum() for count in counts)
    return float(np.sum((share_b - share_a) * np.log(share_b / share_a)))


def wasserstein(a: Floats, b: Floats) -> float:
    """Area between the two cumulative distributions."""
    values, cumulative_a, cumulative_b = _cumulative(a, b)
    return float(np.sum(np.abs(cumulative_a - cumulative_b)[:-1] * np.diff(values)))


def kolmogorov_smirnov(a: Floats, b: Floats) -> float:
    """Largest difference of the two cumulative distributions."""
    _, cumulative_a, cumulative_b = _cumulative(a, b)
    return float(np.abs(cumulative_a - cumulative_b).max())


def decile_edges(values: Floats) -> Floats:
    """Edges of bins that hold about a tenth of the values each, equal edges merged; the outer ones hold all values.

    Between the outer ones lies one edge fewer than there are bins, which is the index's degrees of freedom.
    """
    edges: Floats = np.unique(np.quantile(values, np.linspace(0, 1, BINS + 1)))
    return edges if len(edges) > 1 else np.array([edges[0], edges[0] + 1.0])


def _cumulative(a: Floats, b: Floats) -> tuple[Floats, Floats, Floats]:
    """All values in order, and the share of each sample at or below them."""
    values: Floats = np.sort(np.concatenate([a, b]))
    below_a: Floats = np.searchsorted(np.sort(a), values, side="right") / len(a)
    below_b: Floats = np.searchsorted(np.sort(b), values, side="right") / len(b)
    return values, below_a, below_b
