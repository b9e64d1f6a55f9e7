"""How the weights are found: optimiser, schedule, sampling, when to stop."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from training.config.parts import Part

Share = Annotated[float, Field(ge=0, lt=1)]
Monitor = Literal["val_loss", "val_dice", "val_miou", "val_accuracy", "train_loss"]
OptimiserName = Literal["adamw", "adam", "nadam", "sgd", "rmsprop", "adagrad", "adadelta"]

PARAMETERS: dict[str, tuple[str, ...]] = {
    "adamw": ("betas", "eps"),
    "adam": ("betas", "eps"),
    "nadam": ("betas", "eps", "momentum_decay"),
    "sgd": ("momentum", "nesterov"),
    "rmsprop": ("momentum", "smoothing", "centred", "eps"),
    "adagrad": ("rate_decay", "eps"),
    "adadelta": ("rho", "eps"),
}
"""What each optimiser takes beside learning rate and weight decay."""


class OptimiserSpec(Part):
    """A parameter left out takes PyTorch's default; one that the optimiser does not know is refused."""

    name: OptimiserName = "adamw"
    momentum: Share | None = None
    nesterov: bool | None = None
    betas: tuple[Share, Share] | None = None
    eps: float | None = Field(default=None, gt=0)
    momentum_decay: float | None = Field(default=None, ge=0)
    smoothing: Share | None = None
    """RMSprop's decay of the mean square; PyTorch calls it alpha."""
    centred: bool | None = None
    rate_decay: float | None = Field(default=None, ge=0)
    """Adagrad's decay of the rate."""
    rho: Share | None = None

    @model_validator(mode="after")
    def _parameters_belong(self) -> Self:
        known = PARAMETERS[self.name]
        if foreign := sorted(set(self.given()) - set(known)):
            raise ValueError(f"{self.name} has no {', '.join(foreign)}; it has {', '.join(known)}")
        if self.nesterov and not self.momentum:
            raise ValueError("nesterov needs a momentum above 0")
        return self

    def given(self) -> dict[str, float | bool | tuple[float, float]]:
        """The parameters that the preset sets."""
        return self.model_dump(exclude={"name"}, exclude_none=True)


class ScheduleSpec(Part):
    """The learning rate's course, by step; `plateau` by epoch. All but `plateau` begin with the preset's warm-up."""

    name: Literal["cosine", "constant", "polynomial", "plateau"] = "cosine"
    power: float = Field(default=0.9, gt=0)
    """Of `polynomial`: (1 - progress) ** power."""
    monitor: Monitor = "val_loss"
    """What `plateau` watches."""
    factor: float = Field(default=0.1, gt=0, lt=1)
    """By which `plateau` multiplies the rate ..."""
    patience: int = Field(default=10, ge=0)
    """... after this many epochs in a row without a better value."""
    min_rate: float = Field(default=0.0, ge=0)
    """Below which `plateau` does not go."""


class SamplingSpec(Part):
    rare_classes: float = Field(default=0.0, ge=0, le=1)
    """How much more often frames with rare classes are drawn; formula in `training.fitting.sampling`.

    0: each frame once an epoch. 0.5: by the square root of the rarity. 1: by the rarity itself.
    """


class EarlyStopping(Part):
    monitor: Monitor = "val_dice"
    patience: int = Field(default=10, ge=1)
    """Epochs in a row without a better value before the run ends."""
    min_delta: float = Field(default=0.0, ge=0)
    """A change below this is no improvement."""


def better_when(monitor: str) -> Literal["min", "max"]:
    """Losses should fall, scores rise."""
    return "min" if monitor.endswith("loss") else "max"
