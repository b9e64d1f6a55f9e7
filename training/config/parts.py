"""The parts of a preset that name classes, input, net and data."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from service.imaging.geometry import Filter, InputSpec

Probability = Annotated[float, Field(ge=0, le=1)]


class Part(BaseModel):
    """Frozen, and refuses a field that it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class ClassSpec(Part):
    name: str
    colour: Annotated[str, Field(pattern=r"^#[0-9a-f]{6}$")]


class InputShape(Part):
    """Which sizes a net takes depends on its architecture and encoder; `training.nets.input_size` checks them."""

    height: int = Field(ge=16, le=4096)
    width: int = Field(ge=16, le=4096)
    resize: Literal["stretch", "letterbox"] = "stretch"
    filters: list[Filter] = []
    """Applied to every frame in this order, by the service as well: `equalise` (histogram of the luma), `smooth`."""

    def spec(self) -> InputSpec:
        return InputSpec(self.height, self.width, self.resize, tuple(self.filters))


class NetSpec(Part):
    architecture: str = "unet"
    """Any of segmentation_models_pytorch, in lower case: `unet`, `unetplusplus`, `deeplabv3plus` ..."""
    encoder: str = "tu-tf_efficientnet_lite0"
    """Any encoder of segmentation_models_pytorch, or `tu-` and the name of a timm model that gives features."""
    options: dict[str, int | float | str | bool | list[int] | None] = {}
    """Further arguments of the architecture, e.g. `decoder_channels: [128, 64, 48, 32, 16]`."""
    output_stride: Literal[1, 2, 4, 8] = 1
    """Of a U-Net: its decoder ends at 1/2, 1/4 or 1/8 of the input's size (finer blocks of `decoder_channels` are not
    built), and the head draws the mask's pixels from there."""

    @model_validator(mode="after")
    def _gives_logits(self) -> Self:
        if "activation" in self.options:
            raise ValueError("options.activation is not for a preset: nets give logits, to losses and to the export")
        return self


class DataUse(Part):
    """A part of a prepared data set."""

    data: str
    """Folder of the data set under the folder of prepared data sets."""
    split: str = "all"
    """`all`, or a split that the data set names."""
    groups: list[str] | None = None
    """Only these groups of the split."""
    every: int = Field(default=1, ge=1)
    """Only every n-th of them: neighbours of a video are alike."""
    repeat: int = Field(default=1, ge=1)
    """How often an epoch sees each frame."""


class Card(Part):
    """What a person reads before using the package."""

    intended_use: str
    limits: str
    what_helped: str = ""
    """What was tried and measured to make the model better."""
    weights_licence: str
    data_licence: str
