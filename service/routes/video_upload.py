"""`POST /v1/videos`: a video is streamed to disk, its first frame decoded, and a job queued."""

from typing import Annotated

from fastapi import APIRouter, Header, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from service.bodies import limited, media_type, refuse_encoded
from service.errors import (
    Conflict,
    DecoderCrashed,
    DecoderKilled,
    DecoderLimit,
    EmptyBody,
    InvalidParameter,
    MalformedRequest,
    NoSpace,
    TooLarge,
    TooManyPixels,
    UndecodableVideo,
    UnknownModel,
    UnsupportedMediaType,
)
from service.loading import packages_on_disk
from service.problems import problem_responses
from service.registry import Registry
from service.schemas_video import VIDEOS_PATH, VideoJob, describe_job
from service.settings import Settings
from service.video.decoding.limits import DecoderLimits
from service.video.jobs import NewJob, VideoJobs
from service.video.options import ALL_OUTPUTS, Output, VideoOptions
from service.video.reader import probe
from service.video.upload import MultipartFile, UploadFile

router = APIRouter(prefix=VIDEOS_PATH)

_LONGEST_NAME = 200
_LONGEST_KEY = 255

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
            InvalidParameter, UndecodableVideo, DecoderLimit, DecoderCrashed, DecoderKilled, NoSpace,
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
        info = await run_in_threadpool(probe, file.path, DecoderLimits.of(settings))
        new = NewJob(file.path, file.sha256, info, name, model, version, options, idempotency_key)
        record = await run_in_threadpool(lambda: jobs.find_same(new) or jobs.create(new))
    finally:
        await run_in_threadpool(file.path.unlink, missing_ok=True)
    request.state.model = f"{model}/{version}"
    answer = describe_job(record)
    response.headers["Location"] = answer.links["self"]
    return answer


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
        encoder=settings.video_encoder,
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
