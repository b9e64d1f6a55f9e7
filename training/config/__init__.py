"""Presets: one YAML file says everything a run needs, so that a checkpoint can be made again."""

from training.config.augment import AugmentSpec
from training.config.loading import PRESETS_DIR, load_preset
from training.config.loss import LossSpec
from training.config.optimisation import EarlyStopping, OptimiserSpec, SamplingSpec, ScheduleSpec
from training.config.overrides import with_overrides
from training.config.parts import Card, ClassSpec, DataUse, InputShape, NetSpec
from training.config.preset import Preset

__all__ = [
    "PRESETS_DIR",
    "AugmentSpec",
    "Card",
    "ClassSpec",
    "DataUse",
    "EarlyStopping",
    "InputShape",
    "LossSpec",
    "NetSpec",
    "OptimiserSpec",
    "Preset",
    "SamplingSpec",
    "ScheduleSpec",
    "load_preset",
    "with_overrides",
]
