"""Optimisers and schedules by the names that presets use."""

import math
import sys
from typing import Any

import torch
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, ReduceLROnPlateau

from training.config import Preset
from training.config.optimisation import better_when
from training.nets.segmentation import SegmentationNet

OPTIMISERS: dict[str, type[Optimizer]] = {
    "adamw": torch.optim.AdamW,
    "adam": torch.optim.Adam,
    "nadam": torch.optim.NAdam,
    "sgd": torch.optim.SGD,
    "rmsprop": torch.optim.RMSprop,
    "adagrad": torch.optim.Adagrad,
    "adadelta": torch.optim.Adadelta,
}

_TORCH_NAMES = {"smoothing": "alpha", "centred": "centered", "rate_decay": "lr_decay"}

COSINE_FLOOR = 0.01
"""Share of the rate that a cosine ends with."""


_NEVER = sys.maxsize
"""The module steps a plateau itself; Lightning keeps its state in the checkpoints."""


def build_optimiser(net: SegmentationNet, preset: Preset) -> Optimizer:
    """Two groups: the encoder at `encoder_rate_factor` of the learning rate, and everything else at all of it."""
    encoder = list(net.body.get_submodule("encoder").parameters())
    known = {id(parameter) for parameter in encoder}
    fresh = [parameter for parameter in net.parameters() if id(parameter) not in known]
    rate = preset.learning_rate
    groups = [{"params": encoder, "lr": rate * preset.encoder_rate_factor}, {"params": fresh, "lr": rate}]
    given: dict[str, Any] = {_TORCH_NAMES.get(name, name): value for name, value in preset.optimiser.given().items()}
    return OPTIMISERS[preset.optimiser.name](groups, lr=rate, weight_decay=preset.weight_decay, **given)  # type: ignore[call-arg]


def build_schedule(optimiser: Optimizer, preset: Preset, steps: int) -> dict[str, Any]:
    """What Lightning takes as `lr_scheduler`; `steps` are all steps of the run."""
    spec = preset.schedule
    if spec.name == "plateau":
        plateau = ReduceLROnPlateau(
            optimiser,
            mode=better_when(spec.monitor),
            factor=spec.factor,
            patience=spec.patience,
            min_lr=spec.min_rate,
        )
        return {"scheduler": plateau, "interval": "epoch", "frequency": _NEVER, "monitor": spec.monitor}
    schedule: LRScheduler = LambdaLR(optimiser, lambda step: rate_share(preset, step, steps))
    return {"scheduler": schedule, "interval": "step"}


def rate_share(preset: Preset, step: int, steps: int) -> float:
    """Share of the learning rate at a step: linear warm-up, then the course that the schedule names."""
    warmup = round(steps * preset.warmup_share)
    if step < warmup:
        return (step + 1) / warmup
    progress = min(1.0, (step - warmup) / max(1, steps - warmup))
    if preset.schedule.name == "constant":
        return 1.0
    if preset.schedule.name == "polynomial":
        return float((1 - progress) ** preset.schedule.power)
    return COSINE_FLOOR + (1 - COSINE_FLOOR) * 0.5 * (1 + math.cos(math.pi * progress))
