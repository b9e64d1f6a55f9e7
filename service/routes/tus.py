"""`/v1/uploads`: videos sent with the tus protocol, which goes on where a broken connection ended.

HEAD comes here as GET (`service.http.middleware`): the headers are the protocol's, the body is for people.
"""

from contextlib import ExitStack
from typing import Annotated

from fastapi import APIRouter, Header, Request, Response
from starlette.concurrency import run_in_threadpool

from service.errors import (
    CallerError,
    CallerLimit,
    ChecksumMismatch,
    Conflict,
    DecoderCrashed,
    DecoderKilled,
    DecoderLimit,
    EmptyBody,
    InvalidParameter,
    MalformedRequest,
    MethodNotAllowed,
    NoSpace,
    OffsetMismatch,
    OtherProtocol,
    Overloaded,
    SlowSender,
    TooLarge,
    TooManyPixels,
    Unavailable,
    UndecodableVideo,
    UnknownModel,
    UnknownUpload,
    UnsupportedMediaType,
    UploadBusy,
    UploadExpired,
    VideoTooLong,
)
from service.http.bodies import MEGABYTE, Sender, media_type, refuse_encoded
from service.http.problems import problem_responses
from service.routes import tus_protocol as tus
from service.routes.callers import caller_of
from service.routes.senders import Senders
from service.routes.video_query import LONGEST_KEY, read_query
from service.schemas_upload import UPLOADS_PATH, UploadState, describe_upload
from service.schemas_video import VIDEOS_PATH
from service.settings import Settings
from service.video.uploads.arrival import ALGORITHMS, Arrivals
from service.video.uploads.resumable import ResumableUploads, Upload

router = APIRouter(prefix=UPLOADS_PATH, tags=["videos"], route_class=tus.TusRoute)

_PART = {tus.PART_TYPE: {"schema": {"type": "string", "format": "binary"}}}
_AT_END = (
    UndecodableVideo, DecoderLimit, DecoderCrashed, DecoderKilled, TooManyPixels, VideoTooLong, TooLarge, Conflict,
    CallerLimit, ChecksumMismatch, Overloaded, NoSpace,
)  # fmt: skip
_WHILE_READING = (SlowSender, MalformedRequest, UnsupportedMediaType, UploadBusy, OtherProtocol)


@router.options("", include_in_schema=False)
def show_protocol(request: Request) -> Response:
    """What a tus client asks before it begins."""
    settings: Settings = request.app.state.settings
    headers = {
        "Tus-Version": tus.VERSION,
        "Tus-Extension": tus.EXTENSIONS,
        "Tus-Checksum-Algorithm": ",".join(ALGORITHMS),
        "Tus-Max-Size": str(_most_bytes(settings)),
        "Allow": "POST, OPTIONS",
    }
    return Response(status_code=204, headers=headers)


@router.post(
    "",
    status_code=201,
    summary="Begin an upload that can be resumed (tus 1.0.0)",
    operation_id="begin_upload",
    openapi_extra={"requestBody": {"description": "Nothing, or the first bytes.", "content": _PART}},
    response_class=Response,
    response_description="`Location` is where to send the bytes with PATCH.",
    responses=problem_responses(EmptyBody, InvalidParameter, UnknownModel, *_WHILE_READING, *_AT_END),
)
async def begin_upload(
    request: Request,
    idempotency_key: Annotated[
        str | None,
        Header(
            description="The same key and parameters give the same upload and job.",
            min_length=1,
            max_length=LONGEST_KEY,
        ),
    ] = None,
) -> Response:
    """`Upload-Length` is the video's length; `Upload-Metadata` may hold `filename`, `sha256` and the parameters that
    `POST /v1/videos` takes in its query."""
    state = request.app.state
    query, name, sha256 = tus.read_metadata(request)
    length = tus.read_number(request, "Upload-Length")
    _judge_length(length, state.settings)
    asked = await run_in_threadpool(
        read_query, query, state.registry, state.settings, caller=caller_of(request), key=idempotency_key
    )
    given = request.headers.get("upload-metadata")
    upload = await run_in_threadpool(state.arrivals.begin, asked.named(name), length, sha256, given)
    request.state.model = f"{asked.model}/{asked.version}"
    fresh = await run_in_threadpool(state.resumable.offset, upload) == 0
    if fresh and media_type(request.headers.get("content-type")) == tus.PART_TYPE:
        upload = await _add_if_admitted(request, upload)
    answer = await _answer(request, upload, 201)
    answer.headers["Location"] = f"{UPLOADS_PATH}/{upload.id}"
    return answer


@router.get(
    "/{upload_id}",
    summary="How far an upload is, and the job that it has become",
    operation_id="get_upload",
    responses=problem_responses(UnknownUpload, UploadExpired, OtherProtocol),
)
async def get_upload(request: Request, response: Response, upload_id: str) -> UploadState:
    """HEAD gives the protocol's headers. A tus client that asks takes the upload over from its own dead connection."""
    uploads: ResumableUploads = request.app.state.resumable
    if "tus-resumable" in request.headers:
        await request.app.state.senders.make_way(upload_id)
    upload = await run_in_threadpool(uploads.get, upload_id)
    offset = await run_in_threadpool(uploads.offset, upload)
    if offset == upload.length and upload.asked is not None:
        async with request.app.state.senders.deciding:
            upload = await run_in_threadpool(_end_if_possible, request.app.state.arrivals, uploads, upload)
    expires_at = await run_in_threadpool(uploads.expires_at, upload_id)
    response.headers.update(_headers(upload, offset, expires_at))
    response.headers["Upload-Length"] = str(upload.length)
    if upload.metadata:
        response.headers["Upload-Metadata"] = upload.metadata
    response.headers["Cache-Control"] = "no-store"
    return describe_upload(upload, offset, expires_at)


@router.patch(
    "/{upload_id}",
    status_code=204,
    summary="Send the next bytes of an upload",
    operation_id="continue_upload",
    openapi_extra={"requestBody": {"required": True, "content": _PART}},
    response_class=Response,
    response_description="`Upload-Offset` is how far it is; with the last byte, `X-Video` is the job.",
    responses=problem_responses(UnknownUpload, UploadExpired, OffsetMismatch, *_WHILE_READING, *_AT_END),
)
async def continue_upload(request: Request, upload_id: str) -> Response:
    """`Upload-Offset` is where they begin; `Upload-Checksum` may say what they are."""
    kind = media_type(request.headers.get("content-type"))
    if kind != tus.PART_TYPE:
        raise UnsupportedMediaType(f"content type is {kind[:80]!r}; send {tus.PART_TYPE}")
    upload = await _add(request, upload_id, tus.read_number(request, "Upload-Offset"))
    return await _answer(request, upload, 204)


@router.delete(
    "/{upload_id}",
    status_code=204,
    summary="Give up an upload",
    operation_id="delete_upload",
    responses=problem_responses(UnknownUpload, UploadExpired, UploadBusy, OtherProtocol),
)
async def delete_upload(request: Request, upload_id: str) -> None:
    """A video that it has become already stays."""
    uploads: ResumableUploads = request.app.state.resumable
    await request.app.state.senders.make_way(upload_id)
    await run_in_threadpool(uploads.get, upload_id)
    with await run_in_threadpool(uploads.lock, upload_id):
        await run_in_threadpool(uploads.remove, upload_id)


@router.post("/{upload_id}", include_in_schema=False)
async def override_method(request: Request, upload_id: str) -> Response:
    """For clients behind proxies that let no PATCH or DELETE through, as the protocol has it."""
    meant = request.headers.get("x-http-method-override", "").upper()
    if meant == "PATCH":
        return await continue_upload(request, upload_id)
    if meant == "DELETE":
        await delete_upload(request, upload_id)
        return Response(status_code=204)
    raise MethodNotAllowed(f"X-HTTP-Method-Override is {meant[:20]!r}; it takes PATCH and DELETE")


async def _add(request: Request, upload_id: str, begins_at: int) -> Upload:
    """Read the body into the upload, which may be at its end then."""
    with request.app.state.senders.admit(caller_of(request)):
        return await _add_admitted(request, upload_id, begins_at)


async def _add_if_admitted(request: Request, upload: Upload) -> Upload:
    """The first bytes, unless too many uploads are being read: the upload is there, and PATCH may send them."""
    with ExitStack() as admitted:
        try:
            admitted.enter_context(request.app.state.senders.admit(caller_of(request)))
        except (CallerLimit, Overloaded):
            return upload
        return await _add_admitted(request, upload.id, 0)


async def _add_admitted(request: Request, upload_id: str, begins_at: int) -> Upload:
    refuse_encoded(request)
    senders: Senders = request.app.state.senders
    uploads: ResumableUploads = request.app.state.resumable
    arrivals: Arrivals = request.app.state.arrivals
    said = tus.read_checksum(request)
    with await run_in_threadpool(uploads.lock, upload_id):
        upload = await run_in_threadpool(uploads.get, upload_id)
        offset = await run_in_threadpool(uploads.offset, upload)
        if offset != begins_at:
            raise OffsetMismatch(f"Upload-Offset is {begins_at}; the upload goes on at {offset}")
        announced = request.headers.get("content-length", "")
        coming = int(announced) if announced.isdecimal() else 0
        if offset + coming > upload.length:
            raise TooLarge(f"{coming} bytes would be sent; {upload.length - offset} are missing of Upload-Length")
        await run_in_threadpool(request.app.state.jobs.store.data.require_space, coming)
        sender = Sender(request, request.app.state.settings.sender_idle_seconds)
        with senders.sending(upload_id, sender):
            if upload.asked is not None:
                await arrivals.receive(upload, sender.chunks(), said)
        if await run_in_threadpool(uploads.offset, upload) < upload.length:
            return upload
        async with senders.deciding:
            return await run_in_threadpool(arrivals.end, upload)


def _end_if_possible(arrivals: Arrivals, uploads: ResumableUploads, upload: Upload) -> Upload:
    """All bytes are there, but no job: the process died before, or there was no room for one."""
    try:
        with uploads.lock(upload.id):
            return arrivals.end(uploads.get(upload.id))
    except (CallerError, Unavailable):
        return uploads.get(upload.id)


async def _answer(request: Request, upload: Upload, status: int) -> Response:
    """The protocol's headers, without a body."""
    uploads: ResumableUploads = request.app.state.resumable
    offset = await run_in_threadpool(uploads.offset, upload)
    expires_at = await run_in_threadpool(uploads.expires_at, upload.id)
    return Response(status_code=status, headers=_headers(upload, offset, expires_at))


def _headers(upload: Upload, offset: int, expires_at: float) -> dict[str, str]:
    headers = {"Upload-Offset": str(offset), "Upload-Expires": tus.expires(expires_at)}
    if upload.job_id is not None:
        headers["X-Video"] = f"{VIDEOS_PATH}/{upload.job_id}"
    return headers


def _judge_length(length: int, settings: Settings) -> None:
    if length == 0:
        raise EmptyBody("Upload-Length is 0; send a video file")
    if length > _most_bytes(settings):
        raise TooLarge(
            f"Upload-Length is {length / MEGABYTE:.1f} MB; the limit is {settings.max_upload_gigabytes * 1000:g} MB "
            "(ENDOMASK_MAX_UPLOAD_GIGABYTES)"
        )


def _most_bytes(settings: Settings) -> int:
    return int(settings.max_upload_gigabytes * 1000 * MEGABYTE)
