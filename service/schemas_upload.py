"""What the routes of resumable uploads send as JSON."""

from datetime import UTC, datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

from service.schemas_video import VIDEOS_PATH, VideoError
from service.video.uploads.resumable import Upload

UPLOADS_PATH = "/v1/uploads"


class UploadState(BaseModel):
    """How far a resumable upload is, and what has become of it."""

    model_config = ConfigDict(use_attribute_docstrings=True, extra="forbid")

    id: str
    status: Literal["arriving", "arrived", "accepted", "refused"]
    """`accepted`: it is a video job now; `arrived`: all bytes are there, but there is no job yet, so ask again."""
    offset: int
    """Bytes that have arrived."""
    length: int
    expires_at: datetime
    links: dict[str, str]
    """`self`, and `video` once there is a job."""
    error: VideoError | None
    """Why it was refused."""


def describe_upload(upload: Upload, offset: int, expires_at: float) -> UploadState:
    """An upload as it goes over the wire."""
    failed = upload.error_code is not None and upload.error_detail is not None
    status: Literal["arriving", "arrived", "accepted", "refused"]
    if upload.job_id is not None:
        status = "accepted"
    elif failed:
        status = "refused"
    else:
        status = "arrived" if offset == upload.length else "arriving"
    links = {"self": f"{UPLOADS_PATH}/{upload.id}"}
    if upload.job_id is not None:
        links["video"] = f"{VIDEOS_PATH}/{upload.job_id}"
    return UploadState(
        id=upload.id,
        status=status,
        offset=offset,
        length=upload.length,
        expires_at=datetime.fromtimestamp(expires_at, UTC),
        links=links,
        error=VideoError(code=str(upload.error_code), detail=str(upload.error_detail)) if failed else None,
    )
