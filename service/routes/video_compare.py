"""`GET /v1/videos/compare`: finished videos side by side, as a table in JSON or as a figure."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from service.errors import Conflict, InvalidParameter, NotAcceptable, NotFound, UnknownVideo
from service.http.negotiation import choose
from service.http.problems import problem_responses
from service.schemas_video import VIDEOS_PATH
from service.video.jobs.jobs import VideoJobs
from service.video.results.comparison import Comparison, Side, compare, read_side

router = APIRouter(prefix=VIDEOS_PATH)

Format = Literal["json", "svg", "png"]
_MEDIA_TYPES: dict[Format, str] = {"json": "application/json", "svg": "image/svg+xml", "png": "image/png"}
_MOST_VIDEOS = 8
_TABLE = "frames.parquet"
_COMPARISON = TypeAdapter(Comparison)


class CompareQuery(BaseModel):
    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    ids: str = Field(max_length=1000)
    """Two to eight videos, with commas. The first is what the others are measured from."""
    format: Format | None = None
    """By `Accept` when left out."""


@router.get(
    "/compare",
    summary="Compare finished videos: detection, coverage, and how far their distributions lie apart",
    operation_id="compare_videos",
    response_model=Comparison,
    responses={
        200: {
            "description": "The table, or its figure.",
            "content": {"image/svg+xml": {"schema": {"type": "string"}}, "image/png": {}},
        },
        **problem_responses(UnknownVideo, NotFound, NotAcceptable, Conflict, InvalidParameter),
    },
)
def compare_videos(request: Request, query: Annotated[CompareQuery, Query()]) -> Response:
    """All must have been segmented by models of the same classes, and with the output `frames`."""
    chosen = query.format or _accepted(request.headers.get("accept"))
    sides = [_read(request.app.state.jobs, video_id) for video_id in _split(query.ids)]
    found = compare(sides)
    return Response(_encode(chosen, sides, found), media_type=_MEDIA_TYPES[chosen], headers={"Vary": "Accept"})


def _accepted(accept: str | None) -> Format:
    media_type = choose(accept, tuple(_MEDIA_TYPES.values()))
    if media_type is None:
        raise NotAcceptable(f"Accept is {(accept or '')[:80]!r}; this route gives {', '.join(_MEDIA_TYPES.values())}")
    return next(name for name, offered in _MEDIA_TYPES.items() if offered == media_type)


def _split(ids: str) -> list[str]:
    found = list(dict.fromkeys(text for part in ids.split(",") if (text := part.strip())))
    if not 2 <= len(found) <= _MOST_VIDEOS:
        raise InvalidParameter(
            f"ids names {len(found)} different videos; it takes 2 to {_MOST_VIDEOS}, separated by commas"
        )
    return found


def _read(jobs: VideoJobs, video_id: str) -> Side:
    job = jobs.get(video_id)
    with jobs.result(video_id, _TABLE).open() as table:
        return read_side(table, video_id, job.input["name"], f"{job.model}/{job.version}")


def _encode(chosen: Format, sides: list[Side], found: Comparison) -> bytes:
    if chosen == "json":
        return _COMPARISON.dump_json(found)
    from service.video.results.comparison_figure import comparison_png, comparison_svg  # noqa: PLC0415 (slow to import)

    return comparison_png(sides, found) if chosen == "png" else comparison_svg(sides, found).encode()
