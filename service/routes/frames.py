"""`POST /v1/segment`: one frame or several, as JSON, as a mask, as an overlay."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute

from service.answers import MEDIA_TYPES, Encoded, Output, make_encoder
from service.batching.tickets import Priority
from service.errors import (
    CallerError,
    EndomaskError,
    InferenceFailed,
    InvalidParameter,
    NotAcceptable,
    Unavailable,
    UnsupportedMediaType,
)
from service.http.bodies import Part, media_type, read_files, read_raw, refuse_encoded
from service.http.negotiation import choose
from service.http.problems import describe
from service.imaging.codecs import ALLOWED_TYPES
from service.pipeline import STAGES, FrameOptions, Pipeline
from service.registry import Registry, ServedModel
from service.routes.disconnects import unless_gone
from service.routes.frames_openapi import ANSWERS, REFUSALS, REQUEST_BODY
from service.routes.frames_query import SegmentQuery, document_query, read_query
from service.settings import Settings

log = logging.getLogger(__name__)

_TIMING = ", ".join(f"{stage};dur=%.2f" for stage in STAGES)
_OFFERED: dict[bool, tuple[Output, ...]] = {False: ("json", "mask", "overlay"), True: ("json",)}
"""By whether there are several files."""

FRAMES_AT_ONCE = 4
"""Files of one request that are under way together at most; the rest of the house is for others."""


class _PlainRoute(APIRoute):
    """Documented by FastAPI; the endpoint takes the request as it is, so that there is nothing to solve for it."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler: Callable[[Request], Coroutine[Any, Any, Response]] = self.endpoint
        return handler


router = APIRouter(tags=["frames"], route_class=_PlainRoute)


@router.post(
    "/v1/segment",
    summary="Segment one frame or several",
    operation_id="segment",
    openapi_extra={"parameters": document_query(), "requestBody": REQUEST_BODY},
    response_class=Response,
    responses={**ANSWERS, **REFUSALS},
)
async def segment(request: Request) -> Response:
    query = read_query(request.scope["query_string"])
    settings: Settings = request.app.state.settings
    registry: Registry = request.app.state.registry
    async with registry.lease(query.model, query.version) as model:
        request.state.model = model.label
        model.batcher.check_room(Priority.FRAMES)
        parts = await _read(request, settings)
        output = _choose_output(query, request.headers.get("accept"), len(parts))
        work = _Work(request.app.state.pipeline, model, query, output, settings)
        if len(parts) > 1:
            return await unless_gone(request, _segment_several(work, parts, request))
        return await unless_gone(request, _segment_one(work, parts[0]))


async def _read(request: Request, settings: Settings) -> list[Part]:
    refuse_encoded(request)
    if media_type(request.headers.get("content-type")) == "multipart/form-data":
        return await read_files(
            request,
            max_request_megabytes=settings.max_request_megabytes,
            max_file_megabytes=settings.max_frame_megabytes,
            max_files=settings.max_frames_per_request,
            idle_seconds=settings.sender_idle_seconds,
        )
    content_type = _raw_type(request.headers.get("content-type"))
    body = await read_raw(request, settings.max_frame_megabytes, settings.sender_idle_seconds)
    return [Part(body, content_type)]


def _raw_type(header: str | None) -> str | None:
    """The header, refused before the body is read when no image can be meant; the decoder judges the rest."""
    kind = media_type(header)
    if kind not in {"", "application/octet-stream"} and not kind.startswith("image/"):
        hint = " (curl's default; add -H 'Content-Type: image/jpeg')" if kind.endswith("x-www-form-urlencoded") else ""
        taken = ", ".join(ALLOWED_TYPES)
        raise UnsupportedMediaType(f"content type is {kind[:80]!r}{hint}; taken are {taken} and multipart/form-data")
    return header


def _choose_output(query: SegmentQuery, accept: str | None, files: int) -> Output:
    """Raises InvalidParameter or NotAcceptable."""
    if query.output is not None:
        if files > 1 and query.output != "json":
            raise InvalidParameter(f"output is {query.output!r} and there are {files} files; several answer json only")
        return query.output
    offered = _OFFERED[files > 1]
    chosen = choose(accept, tuple(MEDIA_TYPES[output] for output in offered))
    for output in offered:
        if MEDIA_TYPES[output] == chosen:
            return output
    listed = ", ".join(MEDIA_TYPES[output] for output in offered)
    raise NotAcceptable(f"accept is {(accept or '')[:80]!r}; {files} file(s) can be answered as {listed}")


class _Work:
    """What is the same for all files of a request."""

    def __init__(
        self, pipeline: Pipeline, model: ServedModel, query: SegmentQuery, output: Output, settings: Settings
    ) -> None:
        self.model = model
        self.output = output
        self._pipeline = pipeline
        self._encode = make_encoder(output, query.mask, settings.overlay_opacity)
        self._options = FrameOptions(
            max_megapixels=settings.max_frame_megapixels,
            threshold=query.threshold,
            size=query.size,
            keep_pixels=output == "overlay",
            instances=output == "json",
        )

    async def run(self, part: Part) -> Encoded:
        return await self._pipeline.segment(
            bytes(part.body), self.model, self._options, self._encode, content_type=part.content_type
        )

    def respond(self, body: bytes, seconds: dict[str, float]) -> Response:
        timing = _TIMING % tuple([seconds[stage] * 1000 for stage in STAGES])
        headers = {"Server-Timing": timing, "X-Model": self.model.label, "Vary": "Accept"}
        return Response(body, media_type=MEDIA_TYPES[self.output], headers=headers)


async def _segment_one(work: _Work, part: Part) -> Response:
    encoded = await work.run(part)
    return work.respond(encoded.body, encoded.seconds)


async def _segment_several(work: _Work, parts: list[Part], request: Request) -> Response:
    """Each file has its own fate; the answer keeps their order. In a small house they do not refuse each other."""
    turn = asyncio.Semaphore(min(FRAMES_AT_ONCE, request.app.state.settings.max_queued_frames))

    async def run(part: Part) -> Encoded | EndomaskError:
        async with turn:
            try:
                return await work.run(part)
            except (CallerError, Unavailable, InferenceFailed) as error:
                if isinstance(error, InferenceFailed):
                    log.exception("request %s failed on a file", request.state.request_id)
                return error.with_traceback(None)  # which holds the frame

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(run(part)) for part in parts]
    fates = [task.result() for task in tasks]
    total = {stage: sum(fate.seconds[stage] for fate in fates if isinstance(fate, Encoded)) for stage in STAGES}
    bodies = [_entry(fate, request) for fate in fates]
    return work.respond(b'{"frames":[' + b",".join(bodies) + b"]}", total)


def _entry(fate: Encoded | EndomaskError, request: Request) -> bytes:
    if isinstance(fate, Encoded):
        return fate.body
    request.app.state.metrics.rejected.labels(fate.code).inc()
    return describe(fate, request.state.request_id).model_dump_json().encode()
