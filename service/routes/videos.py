"""`/v1/videos`: list, watch, cancel and delete jobs. Uploading and fetching results are beside this file."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse

from service.errors import Conflict, InvalidParameter, UnknownVideo
from service.http.problems import problem_responses
from service.routes import video_compare, video_files, video_upload
from service.schemas_video import VIDEOS_PATH, VideoJob, VideoPage, describe_job
from service.video.jobs.jobs import VideoJobs
from service.video.jobs.records import JobRecord, Status

jobs_router = APIRouter(prefix=VIDEOS_PATH)

_POLL_SECONDS = 0.5
_HEARTBEAT_SECONDS = 15.0


class ListQuery(BaseModel):
    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    limit: int = Field(default=20, ge=1, le=100)
    """Most videos on a page."""
    offset: int = Field(default=0, ge=0, le=2**31)
    """Videos to skip, the newest first."""
    status: Status | None = None
    """Only videos with this status."""


@jobs_router.get(
    "", summary="List videos, newest first", operation_id="list_videos", responses=problem_responses(InvalidParameter)
)
def list_videos(request: Request, query: Annotated[ListQuery, Query()]) -> VideoPage:
    records, total = request.app.state.jobs.page(query.limit, query.offset, query.status)
    videos = [describe_job(record) for record in records]
    return VideoPage(videos=videos, total=total, limit=query.limit, offset=query.offset)


@jobs_router.get(
    "/{video_id}", summary="One video's job", operation_id="get_video", responses=problem_responses(UnknownVideo)
)
def get_video(request: Request, video_id: str) -> VideoJob:
    """The `error` of a failed job has a code of an upload's answers, or `worker_died`, `encoder_unavailable`,
    `decoder_unavailable`, `inference_failed`, `internal`."""
    return describe_job(request.app.state.jobs.get(video_id))


@jobs_router.post(
    "/{video_id}/cancel",
    summary="Stop a job and keep its record",
    operation_id="cancel_video",
    responses=problem_responses(UnknownVideo, Conflict),
)
def cancel_video(request: Request, video_id: str) -> VideoJob:
    """A queued job is cancelled at once, a running one within about a second."""
    return describe_job(request.app.state.jobs.cancel(video_id))


@jobs_router.delete(
    "/{video_id}",
    status_code=204,
    summary="Delete a video: stop its job, remove upload and results",
    operation_id="delete_video",
    responses=problem_responses(UnknownVideo),
)
def delete_video(request: Request, video_id: str) -> None:
    request.app.state.jobs.delete(video_id)


@jobs_router.get(
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
    events = _events(jobs, first, request.app.state.stopping)
    return StreamingResponse(events, media_type="text/event-stream", headers=headers)


async def _events(jobs: VideoJobs, record: JobRecord, stopping: asyncio.Event) -> AsyncIterator[str]:
    """Each change of a job, and a comment where nothing changes for long, so that no proxy closes the stream.

    Without an `end` the client connects again, which is what it should do when the server stops.
    """
    loop = asyncio.get_running_loop()
    sent, sent_at = None, 0.0
    while record.active and not stopping.is_set():
        text = describe_job(record).model_dump_json()
        if text != sent:
            yield f"event: progress\ndata: {text}\n\n"
            sent, sent_at = text, loop.time()
        elif loop.time() - sent_at > _HEARTBEAT_SECONDS:
            yield ": still here\n\n"
            sent_at = loop.time()
        await asyncio.sleep(_POLL_SECONDS)
        try:
            record = await run_in_threadpool(jobs.get, record.id)
        except UnknownVideo:
            yield "event: end\ndata: null\n\n"
            return
    if not record.active:
        yield f"event: end\ndata: {describe_job(record).model_dump_json()}\n\n"


router = APIRouter(tags=["videos"])
for _part in (video_upload.router, video_compare.router, jobs_router, video_files.router):
    router.include_router(_part)
