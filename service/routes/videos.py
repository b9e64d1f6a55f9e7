"""`/v1/videos`: upload, watch, fetch, cancel, delete. Results are made by the workers."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Header, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool
from starlette.responses import FileResponse, StreamingResponse

from service.bodies import limited, media_type, refuse_encoded
from service.errors import (
    Conflict,
    EmptyBody,
    InvalidParameter,
    MalformedRequest,
    NoSpace,
    NotFound,
    RangeNotSatisfiable,
    TooLarge,
    TooManyPixels,
    UndecodableVideo,
    UnknownModel,
    UnknownVideo,
    UnsupportedMediaType,
)
from service.problems import problem_responses
from service.registry import Registry, packages_on_disk
from service.schemas import ModelRef
from service.schemas_video import (
    VideoError,
    VideoInput,
    VideoJob,
    VideoPage,
    VideoParameters,
    VideoProgress,
)
from service.settings import Settings
from service.video.jobs import NewJob, VideoJobs
from service.video.options import ALL_OUTPUTS, FILES_OF, SUMMARY_FILE, Output, VideoOptions
from service.video.probe import probe
from service.video.records import JobRecord, Status
from service.video.upload import MultipartFile, UploadFile

router = APIRouter(prefix="/v1/videos", tags=["videos"])

_POLL_SECONDS = 0.5
_HEARTBEAT_SECONDS = 15.0
_LONGEST_NAME = 200
_LONGEST_KEY = 255

_MEDIA_TYPES = {
    "annotated.mp4": "video/mp4",
    "frames.csv": "text/csv; charset=utf-8",
    "frames.jsonl": "application/jsonl",
    "frames.parquet": "application/vnd.apache.parquet",
    SUMMARY_FILE: "application/json",
    "report.html": "text/html; charset=utf-8",
    "masks.zip": "application/zip",
}
_SHOWN_IN_BROWSER = {"annotated.mp4", "report.html", SUMMARY_FILE}
_DESCRIPTIONS = {
    "annotated.mp4": "H.264 in MP4 with the classes drawn in their colours; frames, times and length are the input's. "
    "With `frame_step` every frame is there and holds the mask of the latest segmented one. An odd width or height "
    "grows by one pixel, rotation is applied, sound and metadata are left out.",
    "frames.csv": "One row a segmented frame: index, time, coverage, detection, instances, confidence, temporal IoU.",
    "frames.jsonl": "The rows of frames.csv as JSON, one a line.",
    "frames.parquet": "The rows of frames.csv as Parquet.",
    SUMMARY_FILE: "Detection rate, coverage distribution, time in view per class, stability over time, throughput.",
    "report.html": "Figures, numbers and sample frames in one file that loads nothing from elsewhere.",
    "masks.zip": "`masks/<frame index>.png` for each segmented frame, pixel value = class id, and classes.json.",
}

_BINARY = {"schema": {"type": "string", "format": "binary"}}
_UPLOAD_BODY = {
    "required": True,
    "description": "The video file as it is, or multipart with one part named `file`.",
    "content": {
        "video/*": _BINARY,
        "application/octet-stream": _BINARY,
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["file"],
                "properties": {"file": {"type": "string", "format": "binary"}},
            }
        },
    },
}
_LOCATION = {"Location": {"description": "Path of the job", "schema": {"type": "string"}}}


class UploadQuery(BaseModel):
    """Every parameter of an upload; others are refused."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    model: str | None = Field(default=None, max_length=64)
    """Model to use; the default one when left out."""
    version: int | None = Field(default=None, ge=1, le=2**31)
    """Version to use; the newest when left out."""
    threshold: float | None = Field(default=None, ge=0, le=1, allow_inf_nan=False)
    """Probability from which a pixel counts as found; the model's own when left out."""
    frame_step: int = Field(default=1, ge=1, le=10_000)
    """Segment every n-th frame. The annotated video keeps all frames and holds the latest mask."""
    max_frames: int | None = Field(default=None, ge=1, le=2**31)
    """Read the first n frames only."""
    outputs: str | None = Field(default=None, max_length=100)
    """Some of `annotated`, `frames`, `masks`, `report`, with commas; all when left out. summary.json is always made."""


class ListQuery(BaseModel):
    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    limit: int = Field(default=20, ge=1, le=100)
    """Most videos on a page."""
    offset: int = Field(default=0, ge=0, le=2**31)
    """Videos to skip, the newest first."""
    status: Status | None = None
    """Only videos with this status."""


@router.post(
    "",
    status_code=202,
    summary="Upload a video to be segmented",
    operation_id="upload_video",
    openapi_extra={"requestBody": _UPLOAD_BODY},
    response_description="The job was queued, or the one that the same key made before.",
    responses={
        202: {"headers": _LOCATION},
        **problem_responses(
            EmptyBody, MalformedRequest, UnknownModel, Conflict, TooLarge, TooManyPixels, UnsupportedMediaType,
            InvalidParameter, UndecodableVideo, NoSpace,
        ),
    },
)  # fmt: skip
async def upload(
    request: Request,
    response: Response,
    query: Annotated[UploadQuery, Query()],
    idempotency_key: Annotated[
        str | None, Header(description="The same key, video and parameters give the same job.", max_length=_LONGEST_KEY)
    ] = None,
) -> VideoJob:
    """The body is streamed to disk and its first frame is decoded before the job is queued."""
    settings: Settings = request.app.state.settings
    jobs: VideoJobs = request.app.state.jobs
    model, version = _choose_model(request.app.state.registry, settings, query)
    options = _options(query, settings)
    file = UploadFile(jobs.storage.new_upload(), jobs.storage.require_space)
    try:
        name = await _receive(request, settings, jobs, file)
        info = await run_in_threadpool(probe, file.path, settings.max_frame_megapixels)
        new = NewJob(file.path, file.sha256, info, name, model, version, options, idempotency_key)
        record = await run_in_threadpool(lambda: jobs.find_same(new) or jobs.create(new))
    finally:
        await run_in_threadpool(file.path.unlink, missing_ok=True)
    request.state.model = f"{model}/{version}"
    response.headers["Location"] = f"{router.prefix}/{record.id}"
    return describe(record)


@router.get(
    "", summary="List videos, newest first", operation_id="list_videos", responses=problem_responses(InvalidParameter)
)
def list_videos(request: Request, query: Annotated[ListQuery, Query()]) -> VideoPage:
    records, total = request.app.state.jobs.page(query.limit, query.offset, query.status)
    videos = [describe(record) for record in records]
    return VideoPage(videos=videos, total=total, limit=query.limit, offset=query.offset)


@router.get(
    "/{video_id}", summary="One video's job", operation_id="get_video", responses=problem_responses(UnknownVideo)
)
def get_video(request: Request, video_id: str) -> VideoJob:
    return describe(request.app.state.jobs.get(video_id))


@router.post(
    "/{video_id}/cancel",
    summary="Stop a job and keep its record",
    operation_id="cancel_video",
    responses=problem_responses(UnknownVideo, Conflict),
)
def cancel_video(request: Request, video_id: str) -> VideoJob:
    """A queued job is cancelled at once, a running one within about a second."""
    return describe(request.app.state.jobs.cancel(video_id))


@router.delete(
    "/{video_id}",
    status_code=204,
    summary="Delete a video: stop its job, remove upload and results",
    operation_id="delete_video",
    responses=problem_responses(UnknownVideo),
)
def delete_video(request: Request, video_id: str) -> None:
    request.app.state.jobs.delete(video_id)


@router.get(
    "/{video_id}/events",
    summary="Follow a job until it ends, as server-sent events",
    operation_id="follow_video",
    response_class=Response,
    responses={
        200: {
            "description": "Events `progress` and at last `end`, each with the job as JSON.",
            "content": {"text/event-stream": {"schema": {"type": "string"}}},
        },
        **problem_responses(UnknownVideo),
    },
)
async def follow_video(request: Request, video_id: str) -> Response:
    jobs: VideoJobs = request.app.state.jobs
    first = await run_in_threadpool(jobs.get, video_id)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(_events(jobs, first), media_type="text/event-stream", headers=headers)


def _add_file_route(name: str) -> None:
    """One route a result file, so that each is documented."""

    @router.get(
        f"/{{video_id}}/{name}",
        summary=f"Result: {name}",
        description=_DESCRIPTIONS[name],
        operation_id=f"get_{name.replace('.', '_')}",
        response_class=Response,
        responses={
            200: {"description": "The whole file.", "content": {_MEDIA_TYPES[name].split(";")[0]: _BINARY}},
            206: {"description": "The range that was asked for."},
            **problem_responses(MalformedRequest, UnknownVideo, NotFound, Conflict, RangeNotSatisfiable),
        },
    )
    def get_file(request: Request, video_id: str) -> Response:
        path = request.app.state.jobs.result(video_id, name)
        return _file(request, path, video_id)


for _name in (SUMMARY_FILE, *(name for output in ALL_OUTPUTS for name in FILES_OF[output])):
    _add_file_route(_name)


def describe(record: JobRecord) -> VideoJob:
    """A job as it goes over the wire."""
    base = f"{router.prefix}/{record.id}"
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
        ),
        input=VideoInput(**record.input),
        progress=VideoProgress(
            frames_done=record.frames_done,
            frames_total=record.frames_total,
            frames_damaged=record.frames_damaged,
            fps=record.frames_per_second,
            eta_s=None if record.eta_s is None else round(record.eta_s, 1),
        ),
        links=links,
        error=VideoError(code=str(record.error_code), detail=str(record.error_detail)) if failed else None,
        created_at=datetime.fromtimestamp(record.created_at, UTC),
        started_at=_time(record.started_at),
        finished_at=_time(record.finished_at),
    )


def _time(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def _choose_model(registry: Registry, settings: Settings, query: UploadQuery) -> tuple[str, int]:
    """Name and version; the job keeps the version, whatever is served later. Raises UnknownModel."""
    served = registry.get(query.model or settings.default_model).manifest
    if query.version is None:
        return served.name, served.version
    versions = packages_on_disk(settings.models_dir, served.name)
    if query.version not in versions:
        raise UnknownModel(
            f"model {served.name} has no version {query.version}; there is {', '.join(map(str, versions))}"
        )
    return served.name, query.version


def _options(query: UploadQuery, settings: Settings) -> VideoOptions:
    return VideoOptions(
        frame_step=query.frame_step,
        max_frames=query.max_frames,
        threshold=query.threshold,
        outputs=_outputs(query.outputs),
        segment_seconds=settings.segment_seconds,
        overlay_opacity=settings.overlay_opacity,
    )


def _outputs(asked: str | None) -> tuple[Output, ...]:
    if asked is None:
        return ALL_OUTPUTS
    names = {name.strip() for name in asked.split(",")}
    if unknown := names.difference(ALL_OUTPUTS):
        raise InvalidParameter(f"outputs has {sorted(unknown)[0][:40]!r}; it takes {', '.join(ALL_OUTPUTS)}")
    return tuple(output for output in ALL_OUTPUTS if output in names)


async def _receive(request: Request, settings: Settings, jobs: VideoJobs, file: UploadFile) -> str | None:
    """Stream the body to disk; the sender's file name, where one was given."""
    refuse_encoded(request)
    announced = request.headers.get("content-length", "")
    await run_in_threadpool(jobs.storage.require_space, int(announced) if announced.isdecimal() else 0)
    body = limited(request, settings.max_upload_gigabytes * 1000, "ENDOMASK_MAX_UPLOAD_GIGABYTES")
    content_type = request.headers.get("content-type", "")
    kind = media_type(content_type)
    name = None
    if kind == "multipart/form-data":
        part = MultipartFile(content_type)
        await file.receive(part.chunks(body))
        name = part.name
    elif kind.startswith("video/") or kind == "application/octet-stream":
        await file.receive(body)
    else:
        raise UnsupportedMediaType(
            f"content type is {kind[:80]!r}; send video/*, application/octet-stream, or multipart/form-data "
            "with a part named 'file'"
        )
    if not file.bytes:
        raise EmptyBody("the body is empty; send a video file")
    return name[-_LONGEST_NAME:] if name else None


async def _events(jobs: VideoJobs, record: JobRecord) -> AsyncIterator[str]:
    """Each change of a job, and a comment where nothing changes for long, so that no proxy closes the stream."""
    loop = asyncio.get_running_loop()
    sent, sent_at = None, 0.0
    while record.active:
        text = describe(record).model_dump_json()
        if text != sent:
            yield f"event: progress\ndata: {text}\n\n"
            sent, sent_at = text, loop.time()
        elif loop.time() - sent_at > _HEARTBEAT_SECONDS:
            yield ": still here\n\n"
            sent_at = loop.time()
        await asyncio.sleep(_POLL_SECONDS)
        with contextlib.suppress(UnknownVideo):
            record = await run_in_threadpool(jobs.get, record.id)
            continue
        yield "event: end\ndata: null\n\n"
        return
    yield f"event: end\ndata: {describe(record).model_dump_json()}\n\n"


def _file(request: Request, path: Path, video_id: str) -> Response:
    name = path.name
    _check_range(request.headers.get("range"), path)
    headers = {"X-Content-Type-Options": "nosniff"}
    if name == "report.html":
        headers["Content-Security-Policy"] = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox"
    return FileResponse(
        path,
        media_type=_MEDIA_TYPES[name],
        headers=headers,
        filename=f"{video_id[:8]}-{name}",
        content_disposition_type="inline" if name in _SHOWN_IN_BROWSER else "attachment",
    )


def _check_range(header: str | None, path: Path) -> None:
    """Refuse in our shape what FileResponse would refuse in its own."""
    if header is None or not header.strip().lower().startswith("bytes="):
        return
    size = path.stat().st_size
    for part in header.strip()[len("bytes=") :].split(","):
        first, dash, last = (text.strip() for text in part.partition("-"))
        if not dash or not (first or last) or not (first + last).isdecimal():
            raise MalformedRequest(f"range is {header[:80]!r}; it reads like 'bytes=0-1023'")
        if first and (int(first) >= size or (last and int(last) < int(first))):
            raise RangeNotSatisfiable(f"range is {header[:80]!r}; the file has {size} bytes")
