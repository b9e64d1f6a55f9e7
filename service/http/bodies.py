"""Reading request bodies under limits that hold while reading, in memory only: no picture touches a temporary file."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from starlette.requests import ClientDisconnect, Request

from service.errors import EmptyBody, SlowSender, TooLarge, UnsupportedMediaType, UploadBusy
from service.http.multipart import FILE_FIELD, file_pieces

MEGABYTE = 1_000_000


@dataclass(slots=True)
class Part:
    """One file: its bytes, and its content type where one was given."""

    body: bytes | bytearray = field(default_factory=bytearray)
    content_type: str | None = None


def media_type(header: str | None) -> str:
    """`Image/JPEG; x=y` -> `image/jpeg`; empty when missing."""
    return (header or "").split(";")[0].strip().lower()


def refuse_encoded(request: Request) -> None:
    """Raise UnsupportedMediaType for a compressed body: pictures are compressed already, and bombs are cheap."""
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in {"", "identity"}:
        raise UnsupportedMediaType(f"content encoding is {encoding[:40]!r}; send the body as it is")


class Sender:
    """The one who sends a request's body: watched for silence, and told to stop when another goes on in its place."""

    def __init__(self, request: Request, idle_seconds: float) -> None:
        self._receive = request.receive
        self._idle_seconds = idle_seconds
        self._replaced = False
        self._waiting: asyncio.Timeout | None = None

    async def chunks(self) -> AsyncIterator[bytes]:
        """Raises SlowSender, UploadBusy once replaced, ClientDisconnect."""
        more = True
        while more and not self._replaced:
            try:
                async with asyncio.timeout(self._idle_seconds) as self._waiting:
                    message = await self._receive()
            except TimeoutError:
                break
            finally:
                self._waiting = None
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            more = message.get("more_body", False)
            yield message.get("body", b"")
        if self._replaced:
            raise UploadBusy("another request goes on with this upload")
        if more:
            raise SlowSender(f"nothing came for {self._idle_seconds:g} s (ENDOMASK_SENDER_IDLE_SECONDS); send it again")

    def replace(self) -> None:
        """Wait for no more."""
        self._replaced = True
        if self._waiting is not None:
            self._waiting.reschedule(asyncio.get_running_loop().time())


async def read_raw(request: Request, max_megabytes: float, idle_seconds: float) -> bytes:
    """The whole body; raises TooLarge as soon as it is known to be, EmptyBody, SlowSender, ClientDisconnect."""
    chunks = limited(request, max_megabytes, "ENDOMASK_MAX_FRAME_MEGABYTES", idle_seconds)
    body = b"".join([chunk async for chunk in chunks])
    if not body:
        raise EmptyBody("the body is empty; send an encoded image")
    return body


def announced_bytes(request: Request, max_megabytes: float, setting: str) -> int:
    """What Content-Length says, 0 where it says nothing; raises TooLarge before a byte is read."""
    text = request.headers.get("content-length", "")
    announced = int(text) if text.isdecimal() else 0
    if announced > max_megabytes * MEGABYTE:
        raise TooLarge(f"the body is {announced / MEGABYTE:.1f} MB; the limit is {max_megabytes:g} MB ({setting})")
    return announced


async def limited(request: Request, max_megabytes: float, setting: str, idle_seconds: float) -> AsyncIterator[bytes]:
    """Chunks of the body, up to a limit: from Content-Length before a byte is read, and while reading. Raises TooLarge,
    SlowSender, ClientDisconnect."""
    announced_bytes(request, max_megabytes, setting)
    received = 0
    async for chunk in Sender(request, idle_seconds).chunks():
        received += len(chunk)
        if received > max_megabytes * MEGABYTE:
            raise TooLarge(
                f"the body is more than {received / MEGABYTE:.1f} MB; the limit is {max_megabytes:g} MB ({setting})"
            )
        yield chunk


async def read_files(
    request: Request, *, max_request_megabytes: float, max_file_megabytes: float, max_files: int, idle_seconds: float
) -> list[Part]:
    """The `file` parts of a multipart body in their order; raises TooLarge, MalformedRequest, EmptyBody, SlowSender."""
    body = limited(request, max_request_megabytes, "ENDOMASK_MAX_REQUEST_MEGABYTES", idle_seconds)
    parts: list[Part] = []
    async for part, piece in file_pieces(request.headers["content-type"], body):
        if part.number > max_files:
            raise TooLarge(f"there are more than {max_files} files (ENDOMASK_MAX_FRAMES_PER_REQUEST)")
        if part.number > len(parts):
            parts.append(Part(content_type=part.content_type))
        parts[-1].body += piece
        if len(parts[-1].body) > max_file_megabytes * MEGABYTE:
            raise TooLarge(f"file {part.number} is more than {max_file_megabytes:g} MB (ENDOMASK_MAX_FRAME_MEGABYTES)")
    if not parts:
        raise EmptyBody(f"the multipart body has no part named {FILE_FIELD!r}")
    return parts
