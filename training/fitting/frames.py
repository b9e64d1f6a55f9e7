"""Prepared data sets as tensors: decoded and resized once, held in memory as uint8, augmented on the fly."""

import random
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset as TorchDataset
from torchvision import tv_tensors

from service.imaging.geometry import InputSpec, content_box, prepare
from training.augment import build_augmentation, zooms
from training.config import Preset
from training.datasets.index import Sample
from training.datasets.reading import Dataset
from training.datasets.selection import merge_table, select
from training.fitting.sampling import Draw

MARGIN = 1.125
"""Frames are kept this much larger than the model's input, so that zooming in does not blur."""

Pair = tuple[NDArray[np.uint8], NDArray[np.uint8]]


class TrainingFrames(TorchDataset[tuple[Tensor, Tensor]]):
    """Augmented pairs: image uint8 [3, h, w], class ids uint8 [h, w]. The same draw gives the same pair."""

    def __init__(self, pairs: list[Pair], preset: Preset) -> None:
        self._pairs = pairs
        self._augment = build_augmentation(preset.augment, preset.input.height, preset.input.width)
        self._paste = preset.augment.paste

    def __len__(self) -> int:
        return len(self._pairs)

    def __getitem__(self, draw: Draw) -> tuple[Tensor, Tensor]:
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(draw.seed)
            image, mask = self._augmented(draw.frame)
            if float(torch.rand(())) < self._paste:
                other_image, other_mask = self._augmented(int(torch.randint(len(self._pairs), ())))
                image, mask = paste(image, mask, other_image, other_mask)
        return image, mask

    def _augmented(self, index: int) -> tuple[Tensor, Tensor]:
        image, mask = _to_tensors(*self._pairs[index])
        changed, changed_mask = self._augment(tv_tensors.Image(image), tv_tensors.Mask(mask.unsqueeze(0)))
        return changed.as_subclass(Tensor), changed_mask.as_subclass(Tensor)[0]


class PlainFrames(TorchDataset[tuple[Tensor, Tensor]]):
    """Pairs at the model's size, as the service would prepare them."""

    def __init__(self, pairs: list[Pair]) -> None:
        self._pairs = pairs

    def __len__(self) -> int:
        return len(self._pairs)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        return _to_tensors(*self._pairs[index])


def paste(image: Tensor, mask: Tensor, other_image: Tensor, other_mask: Tensor) -> tuple[Tensor, Tensor]:
    """Puts the other frame's foreground on this one: instruments on tissue that they never were on (Ghiasi, 2021)."""
    foreground = other_mask > 0
    return torch.where(foreground, other_image, image), torch.where(foreground, other_mask, mask)


def load_pairs(preset: Preset, datasets: Path) -> tuple[list[Pair], list[Pair]]:
    """Training pairs (repeated as the preset says, larger where augmentation zooms in) and validation pairs."""
    spec = preset.input.spec()
    margin = MARGIN if zooms(preset.augment) else 1.0
    roomy = replace(spec, height=round(spec.height * margin), width=round(spec.width * margin))
    training: list[Pair] = []
    validation: list[Pair] = []
    for use in preset.train:
        dataset = Dataset(datasets / use.data)
        kept, held_out = hold_out(select(dataset, use), preset.holdout, preset.seed)
        training += load(dataset, kept, preset, roomy) * use.repeat
        validation += load(dataset, held_out, preset, spec)
    for use in preset.validation:
        dataset = Dataset(datasets / use.data)
        validation += load(dataset, select(dataset, use), preset, spec)
    return training, validation


def load_test_pairs(preset: Preset, datasets: Path) -> list[Pair]:
    """The pairs of every test set at the model's size."""
    pairs: list[Pair] = []
    for use in preset.test:
        dataset = Dataset(datasets / use.data)
        pairs += load(dataset, select(dataset, use), preset, preset.input.spec())
    return pairs


def hold_out(samples: list[Sample], share: float, seed: int) -> tuple[list[Sample], list[Sample]]:
    """Splits by group, the same way for the same seed; with `share` 0 nothing is held out."""
    groups = sorted({sample.group for sample in samples})
    random.Random(seed).shuffle(groups)
    held = set(groups[: round(share * len(groups))])
    return [s for s in samples if s.group not in held], [s for s in samples if s.group in held]


def load(dataset: Dataset, samples: list[Sample], preset: Preset, spec: InputSpec) -> list[Pair]:
    """RGB uint8 [h, w, 3] and class ids of the preset uint8 [h, w]."""
    table = merge_table(dataset, preset)
    pairs = []
    for sample in samples:
        image = prepare(dataset.image(sample), spec)
        pairs.append((image, _prepare_mask(table[dataset.mask(sample)], spec)))
    return pairs


def _prepare_mask(mask: NDArray[np.uint8], spec: InputSpec) -> NDArray[np.uint8]:
    box = content_box(spec, mask.shape[0], mask.shape[1])
    canvas = np.zeros((spec.height, spec.width), np.uint8)
    resized = cv2.resize(mask, (box.width, box.height), interpolation=cv2.INTER_NEAREST_EXACT)
    canvas[box.top : box.top + box.height, box.left : box.left + box.width] = resized
    return canvas


def _to_tensors(image: NDArray[np.uint8], mask: NDArray[np.uint8]) -> tuple[Tensor, Tensor]:
    return torch.from_numpy(image).permute(2, 0, 1), torch.from_numpy(mask)
