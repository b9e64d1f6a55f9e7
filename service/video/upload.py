"""An upload on its way to disk: checksummed as it comes, a megabyte at a time, off the event loop."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from service.errors import MalformedRequest
from service.storage.disk import full_disk_is_no_space

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

FILE_FIELD = "file"
_WRITE_BYTES = 1 << 20
_CHECK_SPACE_BYTES = 64 << 20


class Checksum(Protocol):
    """One of hashlib's."""

    def update(self, data: bytes | bytearray, /) -> None: ...
    def digest(self) -> bytes: ...
    def hexdigest(self) -> str: ...


class UploadFile:
    """A file that is being received, from its present end on. `check_space` is called now and then and may raise."""

    def __init__(self, path: Path, check_space: Callable[[], None], checksums: Sequence[Checksum]) -> None:
        self.path = path
        self.bytes = 0
        """Written by now, and in the checksums."""
        self._check_space = check_space
        self._checksums = checksums
        self._since_check = 0

    async def receive(self, chunks: AsyncIterator[bytes]) -> None:
        """Write all chunks, and make sure that they are on the disk; also what came before `chunks` raised. Raises
        NoSpace, and what `chunks` raises."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        descriptor = await asyncio.to_thread(os.open, self.path, flags, 0o600)
        waiting = bytearray()
        try:
            async for chunk in chunks:
                waiting += chunk
                if len(waiting) >= _WRITE_BYTES:
                    whole, waiting = waiting, bytearray()
                    await asyncio.to_thread(self._write, descriptor, whole)
        finally:
            try:
                await asyncio.to_thread(self._settle, descriptor, waiting)
            finally:
                os.close(descriptor)

    def _settle(self, descriptor: int, rest: bytearray) -> None:
        self._write(descriptor, rest)
        with full_disk_is_no_space():
            os.fsync(descriptor)

    def _write(self, descriptor: int, data: bytearray) -> None:
        self._since_check += len(data)
        if self._since_check >= _CHECK_SPACE_BYTES:
            self._since_check = 0
            self._check_space()
        with memoryview(data) as rest, full_disk_is_no_space():
            written = 0
            while written < len(rest):
                written += os.write(descriptor, rest[written:])
        for checksum in self._checksums:
            checksum.update(data)
        self.bytes += len(data)


class MultipartFile:
    """The one `file` part of a multipart body, passed on as it comes; nothing else is kept."""

    def __init__(self, content_type: str) -> None:
        _, options = parse_options_header(content_type)
        boundary = options.get(b"boundary")
        if not boundary:
            raise MalformedRequest("the multipart content type names no boundary")
        self.name: str | None = None
        """File name as the sender gave it."""
        self._parts = 0
        self._ended = False
        self._header = (b"", b"")
        self._headers: dict[bytes, bytes] = {}
        self._ready = bytearray()
        self._parser = MultipartParser(boundary, self._callbacks())

    async def chunks(self, body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """Bytes of the file; raises MalformedRequest when there is none, several, or the body is cut off."""
        try:
            async for chunk in body:
                self._parser.write(chunk)
                if self._ready:
                    yield bytes(self._ready)
                    self._ready.clear()
        except FormParserError as error:
            raise MalformedRequest(f"the multipart body can't be read: {error}") from error
        if not self._ended:
            raise MalformedRequest("the multipart body ends in the middle")
        if not self._parts:
            raise MalformedRequest(f"the multipart body has no part named {FILE_FIELD!r}")

    def _callbacks(self) -> "MultipartCallbacks":
        return {
            "on_part_begin": self._begin_part,
            "on_header_field": self._add_header_name,
            "on_header_value": self._add_header_value,
            "on_header_end": self._end_header,
            "on_headers_finished": self._end_headers,
            "on_part_data": self._add_data,
            "on_end": self._end,
        }

    def _begin_part(self) -> None:
        self._headers = {}

    def _add_header_name(self, data: bytes, start: int, end: int) -> None:
        self._header = (self._header[0] + data[start:end], self._header[1])

    def _add_header_value(self, data: bytes, start: int, end: int) -> None:
        self._header = (self._header[0], self._header[1] + data[start:end])

    def _end_header(self) -> None:
        name, value = self._header
        self._headers[name.lower()] = value
        self._header = (b"", b"")

    def _end_headers(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition"))
        field = options.get(b"name", b"").decode("utf-8", "replace")
        if field != FILE_FIELD:
            raise MalformedRequest(
                f"there is a part named {field[:40]!r}; send one named {FILE_FIELD!r}, parameters go into the query"
            )
        self._parts += 1
        if self._parts > 1:
            raise MalformedRequest("there are several files; send one video a request")
        self.name = options.get(b"filename", b"").decode("utf-8", "replace") or None

    def _add_data(self, data: bytes, start: int, end: int) -> None:
        self._ready += data[start:end]

    def _end(self) -> None:
        self._ended = True
