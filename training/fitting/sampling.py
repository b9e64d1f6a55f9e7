"""Which frames an epoch sees, in which order, and the seed of each one's augmentation.

Rare classes: a frame is drawn with a weight of max over its classes c of f_c ** -p, f_c being the share of the frames
that hold c and p the preset's `sampling.rare_classes` (p = 0.5 is the repeat factor of Gupta et al., LVIS, CVPR 2019,
with its threshold at 1). Background is a class that every frame holds, so no weight is below 1. An epoch stays as long
as before: frames of common classes are left out of some epochs.

An epoch's draws hang on seed, epoch and place alone. So a resumed run sees what an undisturbed one would have seen,
whatever the number of processes that load.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
import torch
import torch.distributed as dist
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Sampler
from typing_extensions import override


class Draw(NamedTuple):
    """A frame's index, and the seed of what happens to it."""

    frame: int
    seed: int


class EpochSampler(Sampler[Draw]):
    """Draws of one epoch after the other; Lightning calls `set_epoch`. With several processes each gets its part."""

    def __init__(self, frames: int, seed: int, weights: Tensor | None = None) -> None:
        self._frames = frames
        self._seed = seed
        self._weights = weights
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        self._epoch = epoch

    def __len__(self) -> int:
        return max(1, self._frames // _processes()[1])

    @override
    def __iter__(self) -> Iterator[Draw]:
        generator = torch.Generator().manual_seed(epoch_seed(self._seed, self._epoch))
        if self._weights is None:
            order = torch.randperm(self._frames, generator=generator)
        else:
            order = torch.multinomial(self._weights, self._frames, replacement=True, generator=generator)
        seeds = torch.randint(2**62, (self._frames,), generator=generator)
        rank, processes = _processes()
        for i in range(len(self)):
            place = (i * processes + rank) % self._frames
            yield Draw(int(order[place]), int(seeds[place]))


class PartSampler(Sampler[int]):
    """Every frame once, in order; with several processes each gets its part, none padded."""

    def __init__(self, frames: int) -> None:
        self._frames = frames

    def __len__(self) -> int:
        rank, processes = _processes()
        return len(range(rank, self._frames, processes))

    @override
    def __iter__(self) -> Iterator[int]:
        rank, processes = _processes()
        return iter(range(rank, self._frames, processes))


def epoch_seed(seed: int, epoch: int) -> int:
    """Far apart for neighbouring seeds and epochs."""
    return int(np.random.SeedSequence([seed, epoch]).generate_state(1, np.uint64)[0] >> np.uint64(1))


def frame_weights(masks: Iterable[NDArray[np.uint8]], classes: int, power: float) -> Tensor | None:
    """Class ids uint8 [h, w] of every frame -> weights float64 [frames]; None where all are drawn alike."""
    if power == 0:
        return None
    held = np.stack([np.bincount(mask.ravel(), minlength=classes) > 0 for mask in masks])
    held[:, 0] = True
    rarity = np.maximum(held.mean(axis=0), 1 / len(held)) ** -power
    return torch.from_numpy((held * rarity).max(axis=1))


def _processes() -> tuple[int, int]:
    """This process's rank and the number of processes."""
    if not (dist.is_available() and dist.is_initialized()):
        return 0, 1
    return dist.get_rank(), dist.get_world_size()
