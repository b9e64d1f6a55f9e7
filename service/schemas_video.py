"""What the video routes send as JSON."""

from datetime import UTC, datetime

from pydantic import BaseModel, ConfigDict

from service.schemas import ModelRef
from service.video.jobs.records import JobRecord, Status
from service.video.options import OutOfBodyChoice, Output, VideoOptions

VIDEOS_PATH = "/v1/videos"


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
    smoothing: int
    """Segmented frames whose mean probabilities decide; 1 is without smoothing."""
    bridge_s: float
    """Seconds out of view that don't interrupt an interval."""
    out_of_body: OutOfBodyChoice
    retention_hours: float | None
    """Kept so long once the job has ended; as the server is set where nothing was asked for."""


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
    waiting_since: datetime | None
    """Since when the job waits for the object store, which is away; it goes on by itself."""
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


def describe_job(record: JobRecord) -> VideoJob:
    """A job as it goes over the wire."""
    base = f"{VIDEOS_PATH}/{record.id}"
    links = {"self": base, "events": f"{base}/events"}
    options = VideoOptions.from_stored(record.options)
    if record.status == "succeeded":
        links |= {name: f"{base}/{name}" for name in options.files}
    failed = record.error_code is not None and record.error_detail is not None
    return VideoJob(
        id=record.id,
        status=record.status,
        model=ModelRef(name=record.model, version=record.version),
        parameters=VideoParameters(
            threshold=options.threshold,
            frame_step=options.frame_step,
            max_frames=options.max_frames,
            outputs=list(options.outputs),
            smoothing=options.smoothing,
            bridge_s=options.bridge_s,
            out_of_body=options.out_of_body,
            retention_hours=record.retention_hours,
        ),
        input=VideoInput(**record.input),
        progress=VideoProgress(
            frames_done=record.frames_done,
            frames_total=record.frames_total,
            frames_damaged=record.frames_damaged,
            fps=record.frames_per_second,
            eta_s=None if record.eta_s is None else round(record.eta_s, 1),
        ),
        waiting_since=_time(record.waiting_since),
        links=links,
        error=VideoError(code=str(record.error_code), detail=str(record.error_detail)) if failed else None,
        created_at=datetime.fromtimestamp(record.created_at, UTC),
        started_at=_time(record.started_at),
        finished_at=_time(record.finished_at),
    )


def _time(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
