"""A stored file as an answer: whole, or the range that was asked for, read as fast as the caller takes it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

from starlette.requests import Request
from starlette.responses import StreamingResponse

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


def stored_file_response(
    request: Request, file: StoredFile, *, media_type: str, headers: dict[str, str]
) -> StreamingResponse:
    """Raises MalformedRequest, RangeNotSatisfiable. `If-Range` with another ETag or a date gives the whole."""
    asked, condition = request.headers.get("range"), request.headers.get("if-range")
    chosen = ByteRange.parse(asked, file.size) if asked and condition in {None, file.etag} else None
    first, last = (chosen.first, chosen.last) if chosen else (0, file.size - 1)
    headers = {**headers, "Accept-Ranges": "bytes", "ETag": file.etag, "Content-Length": str(last - first + 1)}
    if chosen:
        headers["Content-Range"] = f"bytes {first}-{last}/{file.size}"
    body = _read(file, first, last + 1)
    return StreamingResponse(body, 206 if chosen else 200, media_type=media_type, headers=headers)


def _read(file: StoredFile, start: int, end: int) -> Iterator[bytes]:
    """Called from worker threads, a chunk at a time."""
    with file.open() as source:
        source.seek(start)
        while start < end and (chunk := source.read(min(_CHUNK_BYTES, end - start))):
            start += len(chunk)
            yield chunk
