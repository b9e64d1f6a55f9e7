"""Strengths of the augmentation."""

from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from training.config.parts import Part, Probability

Strength = Annotated[float, Field(ge=0)]
Range = tuple[Annotated[float, Field(gt=0)], Annotated[float, Field(gt=0)]]


class AugmentSpec(Part):
    """Every strength at 0 (ranges at `[1, 1]`) turns its change off; `augment: none` turns all of them off."""

    horizontal_flip: Probability = 0.5
    vertical_flip: Probability = 0.0
    degrees: float = Field(default=20, ge=0, le=180)
    """Rotation by up to so much either way."""
    scale: Range = (0.8, 1.2)
    translate: Probability = 0.1
    """Shift by up to this share of height and width, either way."""
    shear_degrees: float = Field(default=6, ge=0, lt=90)
    crop_scale: tuple[Probability, Probability] = (0.5, 1.0)
    """Share of the area that a random crop keeps; its aspect changes by up to a quarter."""
    brightness: Strength = 0.3
    """Factor of 1 - b to 1 + b, in four frames of five, like contrast and saturation."""
    contrast: Strength = 0.3
    saturation: Strength = 0.4
    hue: float = Field(default=0.03, ge=0, le=0.5)
    """Turn of up to this share of the colour circle, in every second frame."""
    grey: Probability = 0.05
    blur: Probability = 0.15
    noise: Probability = 0.15
    """Gaussian, of a standard deviation of 2 to 14 grey steps."""
    jpeg: Probability = 0.2
    light_field: Probability = 0.3
    """Uneven light, as endoscopes give."""
    haze: Probability = 0.1
    """Smoke."""
    circular_view: Probability = 0.15
    """Black outside a circle."""
    paste: Probability = 0.0
    """Another frame's foreground on this one."""

    @model_validator(mode="before")
    @classmethod
    def _nothing_by_name(cls, given: Any) -> Any:
        return nothing() if given == "none" else given

    @model_validator(mode="after")
    def _ranges_ascend(self) -> Self:
        for name in ("scale", "crop_scale"):
            low, high = getattr(self, name)
            if low > high:
                raise ValueError(f"{name} must ascend, not [{low}, {high}]")
        return self


def nothing() -> dict[str, Any]:
    """Every field of AugmentSpec turned off."""
    ranges = ("scale", "crop_scale")
    return {name: (1.0, 1.0) if name in ranges else 0.0 for name in AugmentSpec.model_fields}
