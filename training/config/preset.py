"""The preset as a whole."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from training.config.augment import AugmentSpec
from training.config.loss import LossSpec
from training.config.optimisation import EarlyStopping, OptimiserSpec, SamplingSpec, ScheduleSpec
from training.config.parts import Card, ClassSpec, DataUse, InputShape, NetSpec, Part, Probability

ClassWeights = dict[str, Annotated[float, Field(gt=0)]] | Literal["auto", "median_frequency", "inverse_frequency"]


class Preset(Part):
    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
    version: int = Field(ge=1)
    classes: list[ClassSpec] = Field(min_length=2)
    merge: dict[str, str] = Field(default_factory=dict)
    """Classes of the data that count as one of this model's, e.g. `shaft: instrument`."""
    input: InputShape
    threshold: Probability = 0.5
    net: NetSpec = NetSpec()
    train: list[DataUse] = Field(min_length=1)
    validation: list[DataUse] = Field(default_factory=list)
    """Watched while training; never the data that the manifest scores."""
    holdout: Probability = 0.0
    """Share of the training groups kept out and watched as well."""
    test: list[DataUse] = Field(min_length=1)
    """Scored once, by the exported file."""
    split_unit: str
    epochs: int = Field(ge=1)
    batch_size: int = Field(default=8, ge=1)
    """Frames a step on each device."""
    accumulate: int = Field(default=1, ge=1)
    """Batches whose gradients are summed before the weights change."""
    learning_rate: float = Field(default=1e-3, gt=0)
    encoder_rate_factor: float = Field(default=0.5, gt=0)
    """The encoder starts from ImageNet and moves more slowly than the fresh decoder."""
    weight_decay: float = Field(default=1e-2, ge=0)
    optimiser: OptimiserSpec = OptimiserSpec()
    schedule: ScheduleSpec = ScheduleSpec()
    warmup_share: Probability = 0.05
    """Of all steps, over which the rate rises from 0."""
    average_decay: float = Field(default=0.99, ge=0, lt=1)
    """Of the moving average of the weights, which is what gets validated and exported; 0 is the weights themselves."""
    early_stopping: EarlyStopping | None = None
    selection: Literal["last", "best"] = "last"
    """Weights to export: the last epoch's, or those of the best validation Dice."""
    seed: int = 1
    loss: LossSpec = LossSpec.model_validate({})
    class_weights: ClassWeights | None = None
    """By name (1 for those not named), or computed from the training frames; formulas in `training.losses.weights`."""
    sampling: SamplingSpec = SamplingSpec()
    augment: AugmentSpec = AugmentSpec()
    card: Card

    @model_validator(mode="after")
    def _classes_hold_together(self) -> Self:
        names = [entry.name for entry in self.classes]
        if names[0] != "background" or len(set(names)) != len(names):
            raise ValueError(f"classes must start with background and be distinct, not {names}")
        if unknown := set(self.merge.values()) - set(names):
            raise ValueError(f"merge leads to {sorted(unknown)}; the classes are {names}")
        if isinstance(self.class_weights, dict) and (unknown := set(self.class_weights) - set(names)):
            raise ValueError(f"class_weights name {sorted(unknown)}; the classes are {names}")
        return self

    @model_validator(mode="after")
    def _what_is_watched_is_there(self) -> Self:
        if self.validation or self.holdout:
            return self
        if self.selection == "best":
            raise ValueError("selection 'best' needs validation data or a holdout")
        if self.schedule.name == "plateau" and self.schedule.monitor != "train_loss":
            raise ValueError(f"schedule 'plateau' on {self.schedule.monitor} needs validation data or a holdout")
        if self.early_stopping and self.early_stopping.monitor != "train_loss":
            raise ValueError(f"early_stopping on {self.early_stopping.monitor} needs validation data or a holdout")
        return self

    @property
    def channels(self) -> int:
        """Planes of the net's output: 1 for two classes (the foreground's logit), else one a class."""
        return 1 if len(self.classes) == 2 else len(self.classes)
