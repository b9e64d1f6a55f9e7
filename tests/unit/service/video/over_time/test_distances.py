"""Distances of two samples, against SciPy and hand-worked cases."""

import numpy as np
import pytest
from scipy import stats

from service.video.over_time.distances import (
    kolmogorov_smirnov,
    measure_distances,
    read_index,
    stability_index,
    wasserstein,
)

RNG = np.random.default_rng(5)
PAIRS = [
    (RNG.normal(0, 1, 200), RNG.normal(0.5, 2, 150)),
    (RNG.uniform(0, 1, 40), RNG.uniform(3, 4, 60)),
    (RNG.integers(0, 4, 80).astype(np.float64), RNG.integers(1, 6, 30).astype(np.float64)),
    (np.array([1.0]), np.array([3.5])),
]


@pytest.mark.parametrize("pair", PAIRS)
def test_wasserstein_and_kolmogorov_smirnov_are_those_of_scipy(pair: tuple[np.ndarray, np.ndarray]) -> None:
    a, b = pair
    assert wasserstein(a, b) == pytest.approx(stats.wasserstein_distance(a, b))
    assert kolmogorov_smirnov(a, b) == pytest.approx(stats.ks_2samp(a, b, method="exact").statistic)


def test_the_stability_index_of_a_worked_case() -> None:
    a = np.repeat([0.0, 1.0], 50)
    b = np.repeat([0.0, 1.0], [20, 80])
    # one edge at 1: shares 0.5, 0.5 against 0.2, 0.8
    worked = (0.2 - 0.5) * np.log(0.2 / 0.5) + (0.8 - 0.5) * np.log(0.8 / 0.5)
    assert stability_index(a, b) == pytest.approx(worked)
    assert stability_index(a, a) == 0


def test_the_stability_index_is_the_sum_over_the_first_sides_deciles() -> None:
    a, b = RNG.normal(0, 1, 1000), RNG.normal(0.7, 1, 1000)
    edges = np.quantile(a, np.linspace(0, 1, 11))
    edges[0], edges[-1] = -np.inf, np.inf
    p, q = np.histogram(a, edges)[0] / 1000, np.histogram(b, edges)[0] / 1000
    assert stability_index(a, b) == pytest.approx(float(np.sum(stats.entropy(q, p) + stats.entropy(p, q))), rel=0.02)


def test_a_bin_without_frames_gives_a_finite_index() -> None:
    assert np.isfinite(stability_index(np.linspace(0, 1, 50), np.linspace(5, 6, 50)))


def test_a_side_that_does_not_vary_has_no_distance_in_standard_deviations() -> None:
    found = measure_distances(np.zeros(5), np.ones(5))
    assert (found.wasserstein, found.wasserstein_in_sd, found.kolmogorov_smirnov) == (1, None, 1)
    assert measure_distances(np.zeros(5), np.zeros(9)).psi == 0


def test_few_frames_alone_are_no_large_shift() -> None:
    a, b = RNG.normal(0, 1, 20), RNG.normal(0, 1, 20)
    found = measure_distances(a, b)
    assert found.psi > 0.25
    assert found.reading != "large"
    assert [read_index(psi, 0.1) for psi in (0.19, 0.21, 0.36)] == ["small", "moderate", "large"]
