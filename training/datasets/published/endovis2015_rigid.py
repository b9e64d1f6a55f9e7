"""EndoVis 2015 rigid: 160 in-vivo laparoscopic frames of four operations.

images/OPn/img_NN_raw.png|jpg   masks/OPn/img_NN_class.png (0, 70 tip, 160 shaft)   masks/OPn/img_NN_instrument.png
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.datasets.picture_files import read_grey
from training.datasets.published.endovis2015 import CLASSES, LICENCE, SHAFT_GREY, SOURCE, TIP_GREY, snap
from training.datasets.source import SourceDataset, SourceFrame
from training.errors import DatasetError

SPLITS = {"train": ["OP1", "OP2", "OP3"], "test": ["OP4"]}
"""By operation: frames of one patient never lie on both sides."""


def read(source: Path) -> SourceDataset:
    """All frames of `source`; OP4 is held out."""
    return SourceDataset(
        name="endovis2015-rigid",
        source=f"{SOURCE} (rigid)",
        licence=LICENCE,
        split_unit="operation",
        classes=CLASSES,
        splits=SPLITS,
        frames=_frames(source),
    )


def _frames(source: Path) -> Iterator[SourceFrame]:
    for operation in [group for groups in SPLITS.values() for group in groups]:
        masks = sorted((source / "masks" / operation).glob("img_*_class.png"))
        if not masks:
            raise DatasetError(f"{source / 'masks' / operation} holds no img_*_class.png")
        for path in masks:
            stem = path.name.removesuffix("_class.png")
            published, copied = (source / "images" / operation / f"{stem}_raw{suffix}" for suffix in (".png", ".jpg"))
            image = copied if copied.is_file() else published
            yield SourceFrame(f"{operation}_{stem}", operation, image, partial(_class_mask, path))


def _class_mask(path: Path) -> NDArray[np.uint8]:
    grey = read_grey(path)
    odd = set(np.flatnonzero(np.bincount(grey.ravel(), minlength=256)).tolist()) - {0, TIP_GREY, SHAFT_GREY}
    if odd:
        raise DatasetError(
            f"{path} holds the greys {sorted(odd)[:5]}; expected 0, {TIP_GREY} (tip), {SHAFT_GREY} (shaft)"
        )
    return snap(grey)
