"""Reads a canonical data set."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from training.datasets.index import FORMAT, INDEX_FILE, DatasetIndex, Sample
from training.datasets.picture_files import check_ids, read_grey, read_rgb
from training.datasets.splits import check_groups
from training.errors import DatasetError


class Dataset:
    """A prepared data set. Raises DatasetError where there is none, or none that this version reads."""

    def __init__(self, root: Path) -> None:
        path = root / INDEX_FILE
        if not path.is_file():
            raise DatasetError(f"{root} is no prepared data set: {INDEX_FILE} is missing; run `training prepare` first")
        try:
            self.index = DatasetIndex.model_validate_json(path.read_text())
        except ValidationError as error:
            raise DatasetError(f"{path} does not hold a data set index: {error}") from error
        if self.index.format != FORMAT:
            raise DatasetError(f"{path} has format {self.index.format}; this version reads {FORMAT}")
        self.root = root
        self._by_id = {sample.id: sample for sample in self.index.samples}
        check_groups(str(path), {sample.id: sample.group for sample in self.index.samples}, self.index.splits)

    def split(self, name: str) -> list[Sample]:
        """Samples of one split, or of the whole set for `all`."""
        if name == "all":
            return list(self.index.samples)
        if name not in self.index.splits:
            raise DatasetError(f"{self.root} has no split {name!r}; it has {sorted(self.index.splits)} and 'all'")
        return [self._by_id[sample_id] for sample_id in self.index.splits[name]]

    def image_bytes(self, sample: Sample) -> bytes:
        """The frame's file as it lies on disk."""
        return (self.root / sample.image).read_bytes()

    def image(self, sample: Sample) -> NDArray[np.uint8]:
        """RGB uint8 [H, W, 3]."""
        return read_rgb(self.root / sample.image)

    def mask(self, sample: Sample) -> NDArray[np.uint8]:
        """Class ids, uint8 [H, W]; refuses ids that the index does not name."""
        path = self.root / sample.mask
        mask = read_grey(path)
        known = [c.id for c in self.index.classes]
        check_ids(mask, known, path)
        return mask
