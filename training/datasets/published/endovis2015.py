"""What both EndoVis 2015 instrument sets share: the classes and the grey values of their masks."""

import numpy as np
from numpy.typing import NDArray

from training.datasets.index import ClassInfo

TIP_GREY = 70
SHAFT_GREY = 160

CLASSES = [
    ClassInfo(id=0, name="background", colour=(0, 0, 0)),
    ClassInfo(id=1, name="shaft", colour=(64, 160, 255)),
    ClassInfo(id=2, name="tip", colour=(255, 176, 32)),
]

LICENCE = "research use; cite Bodenstedt et al., Comparative evaluation of instrument segmentation, 2018"
SOURCE = "EndoVis 2015 instrument segmentation, https://endovissub-instrument.grand-challenge.org/"


def snap(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Mask greys uint8 [H, W] -> class ids uint8 [H, W], by the nearest of 0, 70 (tip) and 160 (shaft)."""
    return np.asarray(_NEAREST[grey], dtype=np.uint8)


def _nearest_ids() -> NDArray[np.uint8]:
    levels = np.array([0, SHAFT_GREY, TIP_GREY])
    distance = np.abs(np.arange(256)[:, None] - levels[None, :])
    return np.asarray(distance.argmin(axis=1), dtype=np.uint8)


_NEAREST = _nearest_ids()
