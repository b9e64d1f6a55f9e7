"""What goes over the wire as JSON."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

FRAME_EXAMPLE: JsonDict = {
    "model": {"name": "instruments", "version": 1},
    "frame": {"width": 720, "height": 576},
    "coverage": 0.1831,
    "confidence": 0.964,
    "classes": [
        {
            "id": 1,
            "name": "instrument",
            "pixels": 75923,
            "coverage": 0.1831,
            "confidence": 0.964,
            "instances": [{"bbox": [311, 102, 409, 233], "pixels": 75923, "centroid": [544.1, 214.9]}],
        }
    ],
    "mask": {"format": "rle", "encoding": "coco", "counts": {"1": "..."}, "size": [576, 720]},
    "timing_ms": {"decode": 1.9, "prepare": 0.2, "queue": 0.0, "infer": 7.1, "restore": 0.5, "encode": 0.4},
}


class _Wire(BaseModel):
    model_config = ConfigDict(use_attribute_docstrings=True, extra="forbid")


class Problem(_Wire):
    """Why a request, or one file of it, was not answered (RFC 9457)."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": "about:blank",
                    "title": "Unprocessable Content",
                    "status": 422,
                    "detail": "threshold is '1.5'; input should be less than or equal to 1",
                    "code": "invalid_parameter",
                    "request_id": "5f0c1ce6d9b04c1e8f3f2a6f4f3b2c1d",
                }
            ]
        }
    )

    type: Literal["about:blank"] = "about:blank"
    title: str
    """The status in words."""
    status: int
    detail: str
    """What was seen and what is allowed."""
    code: str
    """Stable; for programs."""
    request_id: str
    """Also in the `X-Request-ID` header and in the service's log."""


class ModelRef(_Wire):
    name: str
    version: int


class FrameSize(_Wire):
    width: int
    height: int


class InstanceWire(_Wire):
    bbox: tuple[int, int, int, int]
    """x, y, width, height in pixels of the mask."""
    pixels: int
    centroid: tuple[float, float]
    """x, y in pixels of the mask."""


class ClassWire(_Wire):
    id: int
    name: str
    pixels: int
    coverage: float
    """Share of the mask, 0 to 1."""
    confidence: float | None
    """Mean probability of the pixels given to this class, 0 to 1; null when there are none."""
    instances: list[InstanceWire]
    """Connected parts, largest first."""


class RleMask(_Wire):
    format: Literal["rle"] = "rle"
    encoding: Literal["coco"] = "coco"
    counts: dict[str, str]
    """Class id -> compressed run lengths, as pycocotools reads them."""
    size: tuple[int, int]
    """Height, width."""


class PngMask(_Wire):
    format: Literal["png"] = "png"
    encoding: Literal["base64"] = "base64"
    data: str
    """An indexed PNG: pixel value = class id."""
    size: tuple[int, int]
    """Height, width."""


class PolygonMask(_Wire):
    format: Literal["polygons"] = "polygons"
    polygons: dict[str, list[list[tuple[int, int]]]]
    """Class id -> outlines, each a list of x, y."""
    size: tuple[int, int]
    """Height, width."""


Mask = Annotated[RleMask | PngMask | PolygonMask, Field(discriminator="format")]


class Timing(_Wire):
    """Milliseconds in each stage."""

    decode: float
    prepare: float
    queue: float
    infer: float
    restore: float
    encode: float


class FrameAnswer(_Wire):
    model_config = ConfigDict(json_schema_extra={"examples": [FRAME_EXAMPLE]})

    model: ModelRef
    frame: FrameSize
    """The frame as it was decoded and turned upright."""
    coverage: float
    """Share of the mask that is not background, 0 to 1."""
    confidence: float
    """Mean probability of the class that each pixel was given, 0 to 1."""
    classes: list[ClassWire]
    """Every class but the background."""
    mask: Mask | None = None
    """Left out with `mask=none`."""
    timing_ms: Timing


class FrameAnswers(_Wire):
    """Several files: in their order, each a result or a problem."""

    frames: list[FrameAnswer | Problem]


class CandidateWire(_Wire):
    """What the model could run on here. Times are this machine's, taken in turns when the choice was made."""

    backend: str
    """`onnxruntime` or `openvino`."""
    provider: str
    """`cuda` or `cpu`."""
    precision: str
    """`bf16` is the FP32 file computed in bfloat16."""
    threads: int
    """CPU threads of one run."""
    lanes: int
    """Runs that go on beside each other on a CPU, each on so many threads."""
    chosen: bool
    """Runs a frame that is alone, and every frame where none is chosen for those under load."""
    chosen_under_load: bool
    """Runs frames that are not alone."""
    milliseconds: float | None
    """Shortest run of one frame; null for lanes, and for a candidate that may not serve."""
    frames_per_second: float | None
    """With every lane at work; null where lanes were not tried."""
    changed_share: float | None
    """Share of the golden pixels that change class; null when it did not run."""
    dice: float | None
    """Dice between its golden masks and the right ones, of the worst class; null where those are too small."""
    refused: str | None
    """Why it may not serve."""


class ModelSummary(_Wire):
    model_config = ConfigDict(protected_namespaces=())

    name: str
    version: int
    """The version that answers when a request names none."""
    versions: list[int]
    """Versions on disk; older ones are loaded when a request names them."""
    default: bool
    """Answers when a request names no model."""
    classes: list[dict[str, Any]]
    """`id`, `name` and `colour` of each; id 0 is the background."""
    backend: str
    provider: str
    precision: str
    threads: int
    """CPU threads of a run that is alone."""
    lanes: int
    """Frames that run beside each other when several are there: one on each GPU, or in each lane of a CPU."""
    lane_threads: int
    """CPU threads of each of them."""
    candidates: list[CandidateWire]
    """What the backend was chosen from, fastest first, then those that may not serve."""


class ModelList(_Wire):
    models: list[ModelSummary]


class ModelDetail(ModelSummary):
    manifest: dict[str, Any]
    """manifest.json as docs/models.md describes it."""
    golden: dict[str, float]
    """How close the loaded file came to its golden outputs."""


class ReloadAnswer(_Wire):
    model: ModelRef
    """What is served now."""
    changed: bool
    """Whether it is another than before."""


class Ready(_Wire):
    ready: Literal[True] = True
    models: list[ModelRef]
    workers: int
    """Video workers that are alive."""


class Live(_Wire):
    live: Literal[True] = True
