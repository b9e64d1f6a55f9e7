"""What the training data looks like to the model: histograms by which the service sees that its input drifts."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from service.backends import Backend
from service.imaging.geometry import U8, decide, prepare
from service.imaging.stats import brightness, measure, sharpness
from service.manifest.record import Reference
from service.manifest.schema import Manifest
from service.video.over_time.distances import decile_edges
from training.config import Preset
from training.datasets.reading import Dataset
from training.datasets.selection import select
from training.models import predict

MAX_FRAMES_PER_SET = 150
"""Evenly spread over a set; more changes the histograms little."""


def measure_references(backend: Backend, manifest: Manifest, preset: Preset, datasets: Path) -> dict[str, Reference]:
    """Histograms of coverage, confidence, brightness and sharpness over the training frames.

    Coverage and confidence are those of the frame; brightness and sharpness are measured on the model's input, so that
    they do not depend on the frame's resolution.
    """
    spec = manifest.input.spec()
    values: dict[str, list[float]] = {"coverage": [], "confidence": [], "brightness": [], "sharpness": []}
    for image in training_images(preset, datasets, MAX_FRAMES_PER_SET * len(preset.train)):
        probabilities = predict(backend, image, spec)
        stats = measure(decide(probabilities, manifest.threshold), probabilities, instances=False)
        values["coverage"].append(stats.coverage)
        values["confidence"].append(stats.confidence)
        values["brightness"].append(brightness(prepare(image, spec)))
        values["sharpness"].append(sharpness(prepare(image, spec)))
    return {name: histogram(numbers) for name, numbers in values.items()}


def histogram(values: list[float]) -> Reference:
    """Bins of about equal share (deciles of the values), equal edges merged; the outer edges hold all values."""
    edges = decile_edges(np.asarray(values, dtype=np.float64))
    counts, _ = np.histogram(values, bins=edges)
    shares = counts / counts.sum()
    return Reference(edges=[round(float(e), 6) for e in edges], shares=[round(float(s), 6) for s in shares])


def training_images(preset: Preset, datasets: Path, most: int) -> Iterable[U8]:
    """RGB uint8 [H, W, 3], at most `most`, shared among the sets and evenly spread over each."""
    share = max(1, most // len(preset.train))
    for use in preset.train:
        dataset = Dataset(datasets / use.data)
        samples = select(dataset, use)
        for i in np.unique(np.linspace(0, len(samples) - 1, min(share, len(samples))).round().astype(int)):
            yield dataset.image(samples[i])
