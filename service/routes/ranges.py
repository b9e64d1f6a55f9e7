"""A stored file as an answer: whole, or the range that was asked for, read as fast as the caller takes it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.utils import formatdate, parsedate
from typing import BinaryIO, Self

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from service.errors import MalformedRequest, RangeNotSatisfiable
from service.storage.store import StoredFile

_CHUNK_BYTES = 1 << 18
_RANGE = re.compile(r"([0-9]{0,18})\s*-\s*([0-9]{0,18})")


@dataclass(frozen=True, slots=True)
class ByteRange:
    """Bytes `first` to `last` of a file, both counted."""

    first: int
    last: int

    @classmethod
    def parse(cls, header: str, size: int) -> Self | None:
        """None when the whole file is to be sent: for another unit and for several ranges, which a server may pass over
        (RFC 9110, 14.2). Raises MalformedRequest, RangeNotSatisfiable."""
        unit, _, said = header.strip().partition("=")
        if unit.strip().lower() != "bytes":
            return None
        return None if "," in said else cls._parse_one(said.strip(), size, header)

    @classmethod
    def _parse_one(cls, text: str, size: int, header: str) -> Self:
        found = _RANGE.fullmatch(text)
        first, last = found.groups() if found else ("", "")
        if not (first or last):
            raise MalformedRequest(f"range is {header[:80]!r}; it reads like 'bytes=0-1023'")
        start = int(first) if first else max(0, size - int(last))
        end = min(int(last), size - 1) if first and last else size - 1
        if start >= size or end < start or (first and last and int(last) < int(first)):
            raise RangeNotSatisfiable(f"range is {header[:80]!r}; the file has {size} bytes", size)
        return cls(start, end)


class _FileBody(StreamingResponse):
    """Bytes of a file that is open already, so that one deleted meanwhile still comes whole."""

    def __init__(self, source: BinaryIO, bounds: range, status: int, headers: dict[str, str]) -> None:
        super().__init__(_read(source, bounds), status, headers)
        self._source = source

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._source.close()


def stored_file_response(request: Request, file: StoredFile, *, media_type: str, headers: dict[str, str]) -> Response:
    """304 where the caller has it, by `If-None-Match` or `If-Modified-Since`. `If-Range` with another ETag or time
    gives the whole. Raises MalformedRequest, RangeNotSatisfiable, and UnknownVideo when the file is gone."""
    modified = formatdate(file.modified, usegmt=True)
    headers = {**headers, "ETag": file.etag, "Last-Modified": modified, "Accept-Ranges": "bytes"}
    if _is_held(request, file.etag, modified):
        return Response(status_code=304, headers=headers)
    asked, condition = request.headers.get("range"), request.headers.get("if-range")
    chosen = ByteRange.parse(asked, file.size) if asked and condition in {None, file.etag, modified} else None
    bounds = range(chosen.first, chosen.last + 1) if chosen else range(file.size)
    headers |= {"Content-Type": media_type, "Content-Length": str(len(bounds))}
    if chosen:
        headers["Content-Range"] = f"bytes {chosen.first}-{chosen.last}/{file.size}"
    return _FileBody(file.open(), bounds, 206 if chosen else 200, headers)


def _is_held(request: Request, etag: str, modified: str) -> bool:
    """Whether the caller's copy is this one (RFC 9110, 13.2.2): by the tag, and by the time where no tag is given."""
    if (tags := request.headers.get("if-none-match")) is not None:
        return tags.strip() == "*" or etag in {tag.strip().removeprefix("W/") for tag in tags.split(",")}
    written, held = parsedate(modified), parsedate(request.headers.get("if-modified-since"))
    return written is not None and held is not None and written <= held


def _read(source: BinaryIO, bounds: range) -> Iterator[bytes]:
    """Called from worker threads, a chunk at a time."""
    source.seek(bounds.start)
    left = len(bounds)
    while left and (chunk := source.read(min(_CHUNK_BYTES, left))):
        left -= len(chunk)
        yield chunk
