"""Parts of a manifest that tell where a model comes from and what it is worth."""

from typing import Self

from pydantic import Field, model_validator

from service.manifest.entries import Part, Share


class Training(Part):
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


class Score(Part):
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


class CrossvalScore(Part):
    """Scores of one class on one group by a net of the same preset that was trained without that group."""

    group: str
    class_name: str
    n: int = Field(ge=1)
    """Frames scored."""
    dice: Share
    """Mean over frames."""
    iou: Share


class Reference(Part):
    """Histogram of one feature over the training data: `shares[i]` lies in `edges[i]..edges[i + 1]`."""

    edges: list[float] = Field(min_length=2)
    shares: list[Share]

    @model_validator(mode="after")
    def _bins_match(self) -> Self:
        if len(self.shares) != len(self.edges) - 1:
            raise ValueError(f"{len(self.edges)} edges need {len(self.edges) - 1} shares, not {len(self.shares)}")
        return self


class Licence(Part):
    weights: str
    data: str
