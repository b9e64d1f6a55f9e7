"""`POST /v1/videos`: a video is streamed to disk, its first frame decoded, and a job queued."""

import hashlib
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Header, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from service.errors import (
    CallerLimit,
    Conflict,
    DecoderCrashed,
    DecoderKilled,
    DecoderLimit,
    EmptyBody,
    InvalidParameter,
    MalformedRequest,
    NoSpace,
    Overloaded,
    SlowSender,
    TooLarge,
    TooManyPixels,
    UndecodableVideo,
    UnknownModel,
    UnsupportedMediaType,
    VideoTooLong,
)
from service.http.bodies import announced_bytes, limited, media_type, refuse_encoded
from service.http.multipart import FILE_FIELD, FilePart, file_pieces
from service.http.problems import problem_responses
from service.routes.callers import caller_of
from service.routes.video_query import LONGEST_KEY, UploadQuery, read_query
from service.schemas_video import VIDEOS_PATH, VideoJob, describe_job
from service.settings import Settings
from service.video.jobs.jobs import VideoJobs
from service.video.uploads.acceptance import accept
from service.video.uploads.upload import UploadFile

router = APIRouter(prefix=VIDEOS_PATH)

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
            EmptyBody, MalformedRequest, UnknownModel, SlowSender, Conflict, TooLarge, TooManyPixels, VideoTooLong,
            UnsupportedMediaType, InvalidParameter, UndecodableVideo, DecoderLimit, DecoderCrashed, CallerLimit,
            Overloaded, DecoderKilled, NoSpace,
        ),
    },
)  # fmt: skip
async def upload(
    request: Request,
    response: Response,
    query: Annotated[UploadQuery, Query()],
    idempotency_key: Annotated[
        str | None,
        Header(
            description="The same key, video and parameters give the same job.", min_length=1, max_length=LONGEST_KEY
        ),
    ] = None,
) -> VideoJob:
    """The body is streamed to disk and its first frame is decoded before the job is queued."""
    state = request.app.state
    settings: Settings = state.settings
    jobs: VideoJobs = state.jobs
    asked = await run_in_threadpool(
        read_query, query, state.registry, settings, caller=caller_of(request), key=idempotency_key
    )
    request.state.model = f"{asked.model}/{asked.version}"
    arriving = await run_in_threadpool(state.resumable.arriving, asked.caller)
    await run_in_threadpool(jobs.require_room, asked, arriving)
    checksum = hashlib.sha256()
    file = UploadFile(jobs.store.data.new_upload(), jobs.store.data.require_space, [checksum])
    try:
        with state.senders.admit(asked.caller):
            asked = asked.named(await _receive(request, settings, jobs, file))
            async with state.senders.deciding:
                record = await run_in_threadpool(accept, settings, jobs, asked, file.path, checksum.hexdigest())
    finally:
        await run_in_threadpool(file.path.unlink, missing_ok=True)
    answer = describe_job(record)
    response.headers["Location"] = answer.links["self"]
    return answer


async def _receive(request: Request, settings: Settings, jobs: VideoJobs, file: UploadFile) -> str | None:
    """Stream the body to disk; the sender's file name, where one was given."""
    refuse_encoded(request)
    most = (settings.max_upload_gigabytes * 1000, "ENDOMASK_MAX_UPLOAD_GIGABYTES")
    await run_in_threadpool(jobs.store.data.require_space, announced_bytes(request, *most))
    body = limited(request, *most, settings.sender_idle_seconds)
    content_type = request.headers.get("content-type", "")
    kind = media_type(content_type)
    name: str | None = None
    if kind == "multipart/form-data":
        parts: list[FilePart] = []
        await file.receive(_one_file(content_type, body, parts))
        name = parts[0].name
    elif kind.startswith("video/") or kind == "application/octet-stream":
        await file.receive(body)
    else:
        raise UnsupportedMediaType(
            f"content type is {kind[:80]!r}; send video/*, application/octet-stream, or multipart/form-data "
            "with a part named 'file'"
        )
    if not file.bytes:
        raise EmptyBody("the body is empty; send a video file")
    return name


async def _one_file(content_type: str, body: AsyncIterator[bytes], parts: list[FilePart]) -> AsyncIterator[bytes]:
    """Bytes of the one file of a multipart body, whose head goes into `parts`; raises MalformedRequest when there is
    none or another one."""
    async for part, piece in file_pieces(content_type, body):
        if part.number > 1:
            raise MalformedRequest("there are several files; send one video a request")
        if not parts:
            parts.append(part)
        yield piece
    if not parts:
        raise MalformedRequest(f"the multipart body has no part named {FILE_FIELD!r}")
