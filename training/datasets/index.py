"""The canonical data set on disk, which every reader writes and everything else reads.

<root>/dataset.json     name, licence, source, classes, split unit, samples, splits
<root>/images/<id>.*    the frame as it was published (JPEG bytes are copied, never encoded twice)
<root>/masks/<id>.png   index PNG, one byte a pixel: the value is the class id
"""

from pydantic import BaseModel, ConfigDict, Field

FORMAT = 1
INDEX_FILE = "dataset.json"
SIZE_PROBLEM = "mask of another size"
FILE_PROBLEM = "unreadable or wrong file"

Box = tuple[int, int, int, int]
"""x, y, width, height in pixels of the frame."""


class ClassInfo(BaseModel):
    """One class of the index masks; id 0 is background."""

    model_config = ConfigDict(frozen=True)

    id: int = Field(ge=0, le=255)
    name: str
    colour: tuple[int, int, int]


class Sample(BaseModel):
    """One frame with its mask. Frames of one group (patient, operation, clip) never lie on both sides of a split."""

    model_config = ConfigDict(frozen=True)

    id: str
    image: str
    mask: str
    group: str
    height: int
    width: int
    boxes: list[Box] = []
    """Bounding boxes as published, where a set has them."""


class Skipped(BaseModel):
    """A frame of the source that was left out (`--skip-bad`), and why."""

    model_config = ConfigDict(frozen=True)

    id: str
    problem: str
    said: str


class DatasetIndex(BaseModel):
    """Contents of dataset.json."""

    format: int = FORMAT
    name: str
    source: str
    licence: str
    split_unit: str
    classes: list[ClassInfo]
    samples: list[Sample]
    splits: dict[str, list[str]]
    skipped: list[Skipped] = []
    notes: list[str] = []
    """What the reader found odd and kept all the same."""
