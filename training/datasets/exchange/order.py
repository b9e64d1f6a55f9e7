"""Which samples are written, and in which order."""

from collections.abc import Sequence

from training.datasets.index import Sample
from training.datasets.reading import Dataset
from training.errors import DatasetError


def pick_samples(dataset: Dataset, order: Sequence[str] | None) -> list[Sample]:
    """Samples of the ids in `order`, or all as they are listed. Raises DatasetError for an id without sample."""
    samples = {sample.id: sample for sample in dataset.split("all")}
    unknown = [sample_id for sample_id in order or () if sample_id not in samples]
    if unknown:
        raise DatasetError(f"{dataset.root} has no sample {unknown[0]!r}")
    return list(samples.values()) if order is None else [samples[sample_id] for sample_id in order]
