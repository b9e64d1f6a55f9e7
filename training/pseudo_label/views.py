"""One frame seen three ways by one model: as it is, mirrored, and from further away."""

from dataclasses import dataclass

import cv2
import numpy as np

from service.imaging.geometry import U8
from training.models import OpenModel

SHRINK = 0.8
"""Size of the frame in the third view; its mirrored surroundings fill the rest."""


@dataclass(frozen=True)
class Views:
    """Probabilities uint8 [C, H, W] of each view, laid back on the frame."""

    plain: U8
    mirrored: U8
    shrunk: U8

    @property
    def mean(self) -> U8:
        """Of the three, uint8 [C, H, W]: what the pseudo-label is decided from (test-time augmentation)."""
        total = self.plain.astype(np.uint16) + self.mirrored + self.shrunk
        return np.asarray((total + 1) // 3, np.uint8)


def look(model: OpenModel, image: U8) -> Views:
    """RGB uint8 [H, W, 3] -> the model's answers."""
    mirrored = model.probabilities(np.ascontiguousarray(image[:, ::-1]))[..., ::-1]
    return Views(model.probabilities(image), mirrored, _from_afar(model, image))


def _from_afar(model: OpenModel, image: U8) -> U8:
    height, width = image.shape[:2]
    inner_height, inner_width = round(height * SHRINK), round(width * SHRINK)
    top, left = (height - inner_height) // 2, (width - inner_width) // 2
    small = cv2.resize(image, (inner_width, inner_height), interpolation=cv2.INTER_AREA)
    bottom, right = height - inner_height - top, width - inner_width - left
    framed = cv2.copyMakeBorder(small, top, bottom, left, right, cv2.BORDER_REFLECT_101)
    planes = model.probabilities(np.asarray(framed, np.uint8))[:, top : top + inner_height, left : left + inner_width]
    enlarged = [cv2.resize(np.ascontiguousarray(p), (width, height), interpolation=cv2.INTER_LINEAR) for p in planes]
    return np.stack([np.asarray(plane, np.uint8) for plane in enlarged])
