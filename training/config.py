"""Presets: one YAML file says everything a run needs, so that a checkpoint can be made again."""

from pathlib import Path
from typing import Annotated, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from service.imaging.geometry import InputSpec
from training.errors import PresetError

PRESETS_DIR = Path(__file__).parent / "presets"

Probability = Annotated[float, Field(ge=0, le=1)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class ClassSpec(_Part):
    name: str
    colour: Annotated[str, Field(pattern=r"^#[0-9a-f]{6}$")]


class InputShape(_Part):
    height: int = Field(ge=32, multiple_of=32)
    """The encoder halves five times."""
    width: int = Field(ge=32, multiple_of=32)
    resize: Literal["stretch", "letterbox"] = "stretch"

    def spec(self) -> InputSpec:
        return InputSpec(self.height, self.width, self.resize)


class NetSpec(_Part):
    architecture: str = "unet"
    """Any of segmentation_models_pytorch, in lower case: `unet`, `unetplusplus`, `deeplabv3plus` ..."""
    encoder: str = "tu-tf_efficientnet_lite0"
    """Any encoder of segmentation_models_pytorch, or `tu-` and the name of a timm model that gives features."""
    options: dict[str, int | float | str | bool | list[int] | None] = {}
    """Further arguments of the architecture, e.g. `decoder_channels: [128, 64, 48, 32, 16]`."""


class DataUse(_Part):
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


class AugmentSpec(_Part):
    """Strengths of the augmentation; each documented where `training.augment` uses it."""

    degrees: float = 20
    scale: tuple[float, float] = (0.8, 1.2)
    translate: float = 0.1
    shear_degrees: float = 6
    crop_scale: tuple[float, float] = (0.5, 1.0)
    vertical_flip: Probability = 0.0
    brightness: float = 0.3
    contrast: float = 0.3
    saturation: float = 0.4
    hue: float = Field(default=0.03, ge=0, le=0.5)
    grey: Probability = 0.05
    blur: Probability = 0.15
    noise: Probability = 0.15
    jpeg: Probability = 0.2
    light_field: Probability = 0.3
    haze: Probability = 0.1
    circular_view: Probability = 0.15
    paste: Probability = 0.0


class LossSpec(_Part):
    cross_entropy: float = Field(default=1.0, ge=0)
    dice: float = Field(default=1.0, ge=0)


class Card(_Part):
    """What a person reads before using the package."""

    intended_use: str
    limits: str
    weights_licence: str
    data_licence: str


class Preset(_Part):
    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
    version: int = Field(ge=1)
    classes: list[ClassSpec] = Field(min_length=2)
    merge: dict[str, str] = {}
    """Classes of the data that count as one of this model's, e.g. `shaft: instrument`."""
    input: InputShape
    threshold: Probability = 0.5
    net: NetSpec = NetSpec()
    train: list[DataUse] = Field(min_length=1)
    validation: list[DataUse] = []
    """Watched while training; never the data that the manifest scores."""
    holdout: Probability = 0.0
    """Share of the training groups kept out and watched as well."""
    test: list[DataUse] = Field(min_length=1)
    """Scored once, by the exported file."""
    split_unit: str
    epochs: int = Field(ge=1)
    batch_size: int = Field(default=8, ge=1)
    learning_rate: float = Field(default=1e-3, gt=0)
    encoder_rate_factor: float = Field(default=0.5, gt=0)
    """The encoder starts from ImageNet and moves more slowly than the fresh decoder."""
    weight_decay: float = Field(default=1e-2, ge=0)
    warmup_share: Probability = 0.05
    average_decay: float = Field(default=0.99, ge=0, lt=1)
    """Of the moving average of the weights, which is what gets validated and exported."""
    selection: Literal["last", "best"] = "last"
    """Weights to export: the last epoch's, or those of the best validation Dice."""
    seed: int = 1
    loss: LossSpec = LossSpec()
    augment: AugmentSpec = AugmentSpec()
    card: Card

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        names = [entry.name for entry in self.classes]
        if names[0] != "background" or len(set(names)) != len(names):
            raise ValueError(f"classes must start with background and be distinct, not {names}")
        if unknown := set(self.merge.values()) - set(names):
            raise ValueError(f"merge leads to {sorted(unknown)}; the classes are {names}")
        if self.selection == "best" and not (self.validation or self.holdout):
            raise ValueError("selection 'best' needs validation data or a holdout")
        return self

    @property
    def channels(self) -> int:
        """Planes of the net's output: 1 for two classes (the foreground's logit), else one a class."""
        return 1 if len(self.classes) == 2 else len(self.classes)


def load_preset(name_or_path: str) -> Preset:
    """A shipped preset by its name, or any YAML file by its path."""
    path = Path(name_or_path)
    if path.suffix not in {".yaml", ".yml"}:
        path = PRESETS_DIR / f"{name_or_path}.yaml"
    if not path.is_file():
        shipped = ", ".join(sorted(p.stem for p in PRESETS_DIR.glob("*.yaml")))
        raise PresetError(f"no preset {name_or_path!r}; shipped: {shipped}; or give the path of a YAML file")
    try:
        return Preset.model_validate(yaml.safe_load(path.read_text()))
    except yaml.YAMLError as error:
        raise PresetError(f"{path} is no YAML: {error}") from error
    except ValidationError as error:
        lines = [f"{'.'.join(map(str, e['loc'])) or 'preset'}: {e['msg']}" for e in error.errors()]
        raise PresetError(f"{path.name} does not hold: {'; '.join(lines)}") from error
