"""What the video routes send as JSON."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict

from service.schemas import ModelRef
from service.video.options import Output
from service.video.records import Status


class _Wire(BaseModel):
    model_config = ConfigDict(use_attribute_docstrings=True, extra="forbid")


class VideoInput(_Wire):
    """What was uploaded."""

    name: str | None
    """File name as the sender gave it."""
    bytes: int
    sha256: str
    """Checksum of what was stored."""
    container: str
    codec: str
    pixel_format: str
    width: int
    """In pixels as seen, after rotation."""
    height: int
    rotation: int
    """Degrees counterclockwise by which the stored picture is turned to be seen."""
    pixel_aspect: str
    """Width to height of a pixel; masks and rows count pixels."""
    frame_rate: float | None
    """Mean frames a second, as the file says."""
    duration_s: float | None
    frames: int | None
    """As the file's header says; `progress.frames_total` is counted."""


class VideoParameters(_Wire):
    """What was asked for."""

    threshold: float | None
    frame_step: int
    max_frames: int | None
    outputs: list[Output]


class VideoProgress(_Wire):
    frames_done: int
    frames_total: int | None
    frames_damaged: int
    """Frames so far that could not be decoded; they are left out."""
    fps: float | None
    """Frames a second at work, of the whole job once it has ended."""
    eta_s: float | None
    """Seconds until the last frame at the present pace."""


class VideoError(_Wire):
    code: str
    """Stable; for programs."""
    detail: str


class VideoJob(_Wire):
    """A video and what has become of it."""

    id: str
    status: Status
    model: ModelRef
    parameters: VideoParameters
    input: VideoInput
    progress: VideoProgress
    links: dict[str, str]
    """`self` and `events`; the results by name, once the job has succeeded."""
    error: VideoError | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


class VideoPage(_Wire):
    """Videos, newest first."""

    videos: list[VideoJob]
    total: int
    """All that match, on this page or not."""
    limit: int
    offset: int
