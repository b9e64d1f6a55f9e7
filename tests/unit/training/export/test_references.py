"""Histograms of the training data, by which a service sees that its input drifts."""

from pathlib import Path

import numpy as np
import pytest

from service.imaging.geometry import prepare
from service.imaging.stats import brightness, sharpness
from service.manifest.package import Package
from service.manifest.record import Reference
from service.video.over_time.distances import BINS
from tests.support.red import FakeBackend
from training.config import Preset
from training.datasets.reading import Dataset
from training.export.references import histogram, measure_references, training_images


def test_bins_hold_equal_shares_of_the_values_and_all_of_them() -> None:
    values = [float(v) for v in np.random.default_rng(1).gamma(2, 1, 1000)]
    reference = histogram(values)
    assert len(reference.shares) == BINS
    assert reference.shares == pytest.approx([1 / BINS] * BINS, abs=0.002)
    assert (reference.edges[0], reference.edges[-1]) == pytest.approx((min(values), max(values)), abs=1e-6)


def test_a_value_that_is_frequent_gets_one_bin() -> None:
    reference = histogram([0.0] * 50 + [float(i) for i in range(1, 51)])
    assert reference.edges == sorted(set(reference.edges))
    assert reference.shares[0] >= 0.5
    assert sum(reference.shares) == pytest.approx(1, abs=1e-5)


def test_a_feature_that_never_changes_has_one_bin() -> None:
    assert histogram([0.25] * 7) == Reference(edges=[0.25, 1.25], shares=[1.0])


def test_what_the_service_watches_is_measured_on_the_training_frames(
    exported: tuple[Package, Path], preset: Preset
) -> None:
    manifest, datasets = exported[0].manifest, exported[1]
    found = measure_references(FakeBackend(), manifest, preset, datasets)
    dataset = Dataset(datasets / "squares")
    samples = dataset.split("train")
    prepared = [prepare(dataset.image(sample), manifest.input.spec()) for sample in samples]
    for name, values in {
        "brightness": [brightness(image) for image in prepared],
        "sharpness": [sharpness(image) for image in prepared],
    }.items():
        assert (found[name].edges[0], found[name].edges[-1]) == pytest.approx((min(values), max(values)), abs=1e-5)
    truth = [float((dataset.mask(sample) > 0).mean()) for sample in samples]
    assert found["coverage"].edges == pytest.approx([np.mean(truth)] * len(found["coverage"].edges), abs=0.03)
    assert found["confidence"].edges[0] > 0.9
    assert set(found) == {"coverage", "confidence", "brightness", "sharpness"}


def test_the_frames_are_evenly_spread_and_no_more_than_asked_for(
    exported: tuple[Package, Path], preset: Preset
) -> None:
    dataset = Dataset(exported[1] / "squares")
    samples = dataset.split("train")
    images = list(training_images(preset, exported[1], 3))
    chosen = [next(s.id for s in samples if (dataset.image(s) == image).all()) for image in images]
    assert chosen == [samples[0].id, samples[2].id, samples[5].id]
    assert len(list(training_images(preset, exported[1], 99))) == len(samples) == 6
