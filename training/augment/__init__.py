"""Augmentation on uint8 with torchvision.transforms.v2: masks follow images. About 10 ms a frame on one core."""

from training.augment.build import build_augmentation, zooms
from training.augment.changes import CircularView, Compression, Haze, LightField, SensorNoise

__all__ = [
    "CircularView",
    "Compression",
    "Haze",
    "LightField",
    "SensorNoise",
    "build_augmentation",
    "zooms",
]
