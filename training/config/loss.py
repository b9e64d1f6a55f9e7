"""Which losses are summed, with which weights."""

from typing import Any, Self

from pydantic import Field, model_validator

from training.config.parts import Part

LOSS_NAMES = ("cross_entropy", "bce", "dice", "jaccard", "focal", "tversky", "lovasz", "mse")


class LossSpec(Part):
    """A weight for each loss that takes part; formulas in `training.losses`.

    Where a mapping names losses, those alone are summed: `{dice: 1.0}` is Dice and nothing else. Where it names none,
    the loss is cross-entropy plus Dice.
    """

    cross_entropy: float = Field(default=0.0, ge=0)
    bce: float = Field(default=0.0, ge=0)
    dice: float = Field(default=0.0, ge=0)
    jaccard: float = Field(default=0.0, ge=0)
    focal: float = Field(default=0.0, ge=0)
    tversky: float = Field(default=0.0, ge=0)
    lovasz: float = Field(default=0.0, ge=0)
    mse: float = Field(default=0.0, ge=0)
    focal_gamma: float = Field(default=2.0, ge=0)
    """How much pixels that are already right count less."""
    focal_alpha: float | None = Field(default=None, ge=0, le=1)
    """Weight of the foreground's pixels; the background's get 1 - alpha. None: both count alike."""
    tversky_alpha: float = Field(default=0.3, ge=0)
    """Weight of false positives."""
    tversky_beta: float = Field(default=0.7, ge=0)
    """Weight of false negatives."""

    @model_validator(mode="before")
    @classmethod
    def _default_sum(cls, given: Any) -> Any:
        if isinstance(given, dict) and not set(given) & set(LOSS_NAMES):
            return {"cross_entropy": 1.0, "dice": 1.0, **given}
        return given

    @model_validator(mode="after")
    def _not_empty(self) -> Self:
        if not self.weights():
            raise ValueError(f"no loss has a weight above 0; there are {', '.join(LOSS_NAMES)}")
        return self

    def weights(self) -> dict[str, float]:
        """Name -> weight of the losses that take part."""
        return {name: weight for name in LOSS_NAMES if (weight := getattr(self, name)) > 0}
