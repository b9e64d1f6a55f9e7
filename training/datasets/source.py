"""What a reader yields: the frames of a source, and what is said of it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.datasets.index import Box, ClassInfo


@dataclass(frozen=True)
class SourceFrame:
    """What a reader yields: `image` is a file to copy or RGB uint8 [H, W, 3]; `mask` is uint8 [H, W] of class ids.

    A mask given as a function is read when the frame is written; a DatasetError that it raises then spoils this frame
    alone, and the reading goes on, so that all bad files are found in one run.
    """

    id: str
    group: str
    image: Path | NDArray[np.uint8]
    mask: NDArray[np.uint8] | Callable[[], NDArray[np.uint8]]
    boxes: tuple[Box, ...] = ()
    review: Callable[[NDArray[np.uint8]], str | None] | None = None
    """Looks at the mask when it is written; what it says goes into the notes of the index."""

    def load_mask(self) -> NDArray[np.uint8]:
        """Class ids, uint8 [H, W]."""
        return self.mask() if callable(self.mask) else self.mask


@dataclass(frozen=True)
class SourceDataset:
    """A data set as a reader sees it; `splits` maps a split's name to the groups in it; `count` is for progress."""

    name: str
    source: str
    licence: str
    split_unit: str
    classes: list[ClassInfo]
    splits: dict[str, list[str]]
    frames: Iterator[SourceFrame]
    count: int | None = None
