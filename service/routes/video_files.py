"""`GET /v1/videos/{id}/<file>`: results, whole or in ranges."""

from fastapi import APIRouter, Request, Response

from service.errors import Conflict, MalformedRequest, NotFound, RangeNotSatisfiable, UnknownVideo
from service.http.problems import problem_responses
from service.routes.ranges import stored_file_response
from service.schemas_video import VIDEOS_PATH
from service.video.options import ALL_OUTPUTS, FILES_OF, SUMMARY_FILE

router = APIRouter(prefix=VIDEOS_PATH)

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
            304: {"description": "The caller has it, by `If-None-Match` or `If-Modified-Since`."},
            **problem_responses(MalformedRequest, UnknownVideo, NotFound, Conflict, RangeNotSatisfiable),
        },
    )
    def get_file(request: Request, video_id: str) -> Response:
        return _file(request, name, video_id)


for _name in (SUMMARY_FILE, *(name for output in ALL_OUTPUTS for name in FILES_OF[output])):
    _add_file_route(_name)


def _file(request: Request, name: str, video_id: str) -> Response:
    file = request.app.state.jobs.result(video_id, name)
    disposition = "inline" if name in _SHOWN_IN_BROWSER else "attachment"
    headers = {
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "private, no-cache",
        "Content-Disposition": f'{disposition}; filename="{video_id[:8]}-{name}"',
    }
    if name == "report.html":
        headers["Content-Security-Policy"] = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox"
    return stored_file_response(request, file, media_type=_MEDIA_TYPES[name], headers=headers)
