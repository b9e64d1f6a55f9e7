"""Parts of a manifest by which a model is loaded, fed and held to its parity."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from service.imaging.geometry import Filter, InputSpec, Resize

DICE_LOSS_LIMIT = 0.005
"""Dice that a precision may lose against FP32 on any held-out set; above, it does not hold on that backend."""

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Share = Annotated[float, Field(ge=0, le=1)]
PrecisionName = Literal["fp32", "fp16", "int8"]


class Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class ClassEntry(Part):
    id: int = Field(ge=0, le=255)
    name: str = Field(min_length=1)
    colour: Annotated[str, Field(pattern=r"^#[0-9a-f]{6}$")]
    """`#rrggbb`, used in mask palettes and overlays."""

    @property
    def rgb(self) -> tuple[int, int, int]:
        return int(self.colour[1:3], 16), int(self.colour[3:5], 16), int(self.colour[5:7], 16)


class InputEntry(Part):
    height: int = Field(ge=16, le=4096)
    width: int = Field(ge=16, le=4096)
    resize: Resize
    filters: tuple[Filter, ...] = ()
    """What is done to a frame after its resize, in this order; `service.imaging.geometry.apply_filters` does it."""

    def spec(self) -> InputSpec:
        return InputSpec(self.height, self.width, self.resize, self.filters)


class FileEntry(Part):
    file: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+$")]
    sha256: Sha256
    made: str = ""
    """How the file was made from FP32, for a person: calibration, what was kept in float."""


class Parity(Part):
    """How far a file on a backend is from PyTorch in float32 on the same frames.

    Two files on one backend, or one file on two, can agree differently: parity belongs to the pair.
    """

    precision: PrecisionName | Literal["bf16"]
    """`bf16` is the FP32 file computed in bfloat16, which has no file of its own."""
    backend: str
    """Runtime and provider: `onnxruntime-cpu`, `openvino-cpu`."""
    batch_sizes: list[int]
    frames: int = Field(ge=1)
    largest_difference: int = Field(ge=0, le=255)
    """In uint8 steps of probability."""
    changed_share: Share
    """Share of pixels whose class changed."""
    dice_difference: float | None = None
    """Dice of this file minus Dice of the FP32 file (of FP32: minus Dice of PyTorch) on the held-out set where they
    differ most; for other precisions on the one where it lost most. None where not measured."""
    held_out_changed_share: Share | None = None
    """Share of the held-out frames' pixels whose class differs from what the FP32 file says."""
    relative_time: float | None = Field(default=None, gt=0)
    """Median time of a run over that of the FP32 file in the same backend, run in turns; 0.4 is 2.5 times faster."""
    machine: str = ""
    """Where the time was taken: processor, cores, instruction sets that matter, versions."""

    @property
    def holds(self) -> bool:
        """Whether the pair was measured to lose no more than `DICE_LOSS_LIMIT`, or is FP32, which the export checks."""
        if self.dice_difference is None:
            return self.precision == "fp32"
        return self.dice_difference >= -DICE_LOSS_LIMIT
