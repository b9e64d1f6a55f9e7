"""The manifest: one object a model package, checked as a whole."""

import hashlib
import json
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from service.manifest.entries import ClassEntry, FileEntry, InputEntry, Parity, Part, PrecisionName, Share
from service.manifest.record import CrossvalScore, Licence, Reference, Score, Training

GOLDEN_CHANGED_SHARE_LIMIT = 0.002
"""Share of golden pixels that may change class before a package is refused; see `Manifest.golden_limit`."""

INPUT_NAME = "frames"
OUTPUT_NAME = "probabilities"

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]


class Manifest(Part):
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
    crossval: list[CrossvalScore] = Field(default_factory=list)
    references: dict[str, Reference] = Field(default_factory=dict)
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
