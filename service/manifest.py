"""The model package: what `models/<name>/<version>/manifest.json` says, and whether the files beside it hold it.

A package is refused, with the reason, when its manifest is incomplete, a checksum differs, or its golden outputs are
not reproduced. docs/models.md documents every field.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from service.errors import PackageError
from service.imaging.geometry import U8, Filter, InputSpec, Resize, decide

GOLDEN_CHANGED_SHARE_LIMIT = 0.002
"""Share of golden pixels that may change class before a package is refused; see `Manifest.golden_limit`."""
DICE_LOSS_LIMIT = 0.005
"""Dice that a precision may lose against FP32 on any held-out set; above, it does not hold on that backend."""

INPUT_NAME = "frames"
OUTPUT_NAME = "probabilities"

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Share = Annotated[float, Field(ge=0, le=1)]
PrecisionName = Literal["fp32", "fp16", "int8"]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class ClassEntry(_Part):
    id: int = Field(ge=0, le=255)
    name: str = Field(min_length=1)
    colour: Annotated[str, Field(pattern=r"^#[0-9a-f]{6}$")]
    """`#rrggbb`, used in mask palettes and overlays."""

    @property
    def rgb(self) -> tuple[int, int, int]:
        return int(self.colour[1:3], 16), int(self.colour[3:5], 16), int(self.colour[5:7], 16)


class InputEntry(_Part):
    height: int = Field(ge=16, le=4096)
    width: int = Field(ge=16, le=4096)
    resize: Resize
    filters: tuple[Filter, ...] = ()
    """What is done to a frame after its resize, in this order; `service.imaging.geometry.apply_filters` does it."""

    def spec(self) -> InputSpec:
        return InputSpec(self.height, self.width, self.resize, self.filters)


class FileEntry(_Part):
    file: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+$")]
    sha256: Sha256
    made: str = ""
    """How the file was made from FP32, for a person: calibration, what was kept in float."""


class Parity(_Part):
    """How far a file on a backend is from PyTorch in float32 on the same frames.

    Two files on one backend, or one file on two, can agree differently: parity belongs to the pair.
    """

    precision: PrecisionName
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


class Training(_Part):
    datasets: list[str]
    split: str
    split_unit: str
    """What a split never cuts through: operation, video, patient, frame."""
    preset: str
    seed: int
    epochs: int
    code_version: str
    started_from: str | None = None
    """The run or stage whose weights this one was fine-tuned from."""


class Score(_Part):
    """Scores of one class on one held-out group, by the exported file run through the service's own code."""

    dataset: str
    group: str
    class_name: str
    n: int = Field(ge=1)
    """Frames scored."""
    dice: Share
    """Mean over frames."""
    dice_pooled: Share
    """Over the pixels of all frames together."""
    iou: Share
    precision: Share
    recall: Share


class CrossvalScore(_Part):
    """Scores of one class on one group by a net of the same preset that was trained without that group."""

    group: str
    class_name: str
    n: int = Field(ge=1)
    """Frames scored."""
    dice: Share
    """Mean over frames."""
    iou: Share


class Reference(_Part):
    """Histogram of one feature over the training data: `shares[i]` lies in `edges[i]..edges[i + 1]`."""

    edges: list[float] = Field(min_length=2)
    shares: list[Share]

    @model_validator(mode="after")
    def _bins_match(self) -> Self:
        if len(self.shares) != len(self.edges) - 1:
            raise ValueError(f"{len(self.edges)} edges need {len(self.edges) - 1} shares, not {len(self.shares)}")
        return self


class Licence(_Part):
    weights: str
    data: str


class Manifest(_Part):
    name: Name
    version: int = Field(ge=1)
    task: Literal["segmentation"]
    classes: list[ClassEntry] = Field(min_length=2, max_length=256)
    input: InputEntry
    threshold: Share
    files: dict[PrecisionName, FileEntry]
    golden: FileEntry
    parity: list[Parity]
    training: Training
    metrics: list[Score]
    crossval: list[CrossvalScore] = []
    references: dict[str, Reference] = {}
    licence: Licence
    intended_use: str = Field(min_length=1)
    limits: str = Field(min_length=1)
    what_helped: str = ""
    """What was tried and measured to make the model better, for the card."""

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        ids = [entry.id for entry in self.classes]
        if ids != list(range(len(ids))):
            raise ValueError(f"class ids must be 0, 1, 2 ... in order (0 is background), not {ids}")
        if "fp32" not in self.files:
            raise ValueError("files must hold an fp32 model")
        return self

    @property
    def channels(self) -> int:
        """Planes of the model's output: 1 (the foreground) for two classes, else one a class."""
        return 1 if len(self.classes) == 2 else len(self.classes)

    @property
    def palette(self) -> list[tuple[int, int, int]]:
        """RGB of each class, by id."""
        return [entry.rgb for entry in self.classes]

    def golden_limit(self, precision: PrecisionName, backend: str) -> float:
        """Share of golden pixels that may change class when `precision` runs on `backend` (as in `parity`).

        FP32 reproduces PyTorch. A lower precision is held to twice what its export measured on this backend: another
        processor may round otherwise, and the golden frames (synthetic, one of noise) are harder than real ones. A pair
        that was not measured, or that does not hold, gets no such allowance.
        """
        for entry in self.parity:
            if (entry.precision, entry.backend) == (precision, backend) and entry.holds and precision != "fp32":
                return max(GOLDEN_CHANGED_SHARE_LIMIT, 2 * entry.changed_share)
        return GOLDEN_CHANGED_SHARE_LIMIT

    def contract_sha256(self) -> str:
        """Checksum of what a caller relies on: name, version, classes, input (filters if any) and threshold.

        The ONNX files carry it in their metadata, so that none can be moved under another manifest. (A checksum of the
        whole manifest can't be inside a file whose own checksum the manifest holds.)
        """
        contract = self.model_dump(mode="json", include={"name", "version", "task", "classes", "input", "threshold"})
        if not self.input.filters:
            del contract["input"]["filters"]  # the field is younger than the first packages
        return hashlib.sha256(json.dumps(contract, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Agreement:
    """How one set of outputs differs from another: largest uint8 step, and share of pixels whose class changed."""

    largest_difference: int
    changed_share: float


def agreement(expected: U8, actual: U8, threshold: float) -> Agreement:
    """Compare probabilities uint8 [N, C, H, W] by value and by the class that each pixel would be given."""
    difference = int(np.abs(expected.astype(np.int16) - actual.astype(np.int16)).max(initial=0))
    changed = [np.mean(decide(a, threshold) != decide(b, threshold)) for a, b in zip(expected, actual, strict=True)]
    return Agreement(difference, float(np.mean(changed)))


@dataclass(frozen=True, slots=True)
class Package:
    """A model package on disk: its folder and its validated manifest."""

    folder: Path
    manifest: Manifest

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read `manifest.json`; raises PackageError when it is missing, malformed or in the wrong folder."""
        where = f"model package {folder.parent.name}/{folder.name}"
        try:
            manifest = Manifest.model_validate_json((folder / "manifest.json").read_bytes())
        except FileNotFoundError as error:
            raise PackageError(f"{where} has no manifest.json") from error
        except ValidationError as error:
            first = error.errors()[0]
            field = ".".join(str(part) for part in first["loc"]) or "manifest"
            raise PackageError(f"{where}: manifest.json does not hold: {field}: {first['msg']}") from error
        if (folder.parent.name, folder.name) != (manifest.name, str(manifest.version)):
            raise PackageError(f"{where} says that it is {manifest.name}/{manifest.version}")
        return cls(folder, manifest)

    def model_path(self, precision: PrecisionName) -> Path:
        return self.folder / self.manifest.files[precision].file

    def verify(self) -> None:
        """Raise PackageError unless every file is there with the checksum that the manifest gives."""
        for entry in [*self.manifest.files.values(), self.manifest.golden]:
            path = self.folder / entry.file
            if not path.is_file():
                raise PackageError(f"{self.label}: {entry.file} is missing")
            if (found := sha256_of(path)) != entry.sha256:
                raise PackageError(
                    f"{self.label}: {entry.file} has checksum {found[:12]}..., the manifest says {entry.sha256[:12]}..."
                )

    def golden(self) -> tuple[U8, U8]:
        """Golden frames uint8 [N, h, w, 3] and the probabilities uint8 [N, C, h, w] that PyTorch gave for them."""
        with np.load(self.folder / self.manifest.golden.file, allow_pickle=False) as arrays:
            return arrays["frames"], arrays["probabilities"]

    @property
    def label(self) -> str:
        return f"{self.manifest.name}/{self.manifest.version}"


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
