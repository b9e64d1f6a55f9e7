"""Limits hold while a body is read, not after."""

from collections.abc import AsyncIterator, Callable
from itertools import pairwise

import pytest
from starlette.requests import ClientDisconnect, Request
from starlette.types import Message

from service.errors import EmptyBody, MalformedRequest, TooLarge, UnsupportedMediaType
from service.http.bodies import read_files, read_raw, refuse_encoded

BOUNDARY = "frontier"


class Sender:
    """An ASGI `receive` that hands out chunks and knows how many were taken."""

    def __init__(self, chunks: list[bytes], *, hangs_up: bool = False) -> None:
        self._chunks = chunks
        self._hangs_up = hangs_up
        self.taken = 0

    async def __call__(self) -> Message:
        if self._hangs_up and self.taken == len(self._chunks):
            return {"type": "http.disconnect"}
        chunk = self._chunks[self.taken]
        self.taken += 1
        more = self._hangs_up or self.taken < len(self._chunks)
        return {"type": "http.request", "body": chunk, "more_body": more}


def request(receive: Callable[[], AsyncIterator[Message]] | Sender, **headers: str) -> Request:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "method": "POST", "path": "/", "headers": raw}, receive)  # type: ignore[arg-type]


def part(body: bytes, name: str = "file", head: str = "Content-Type: image/png\r\n") -> bytes:
    start = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"; filename="x"\r\n{head}\r\n'
    return start.encode() + body + b"\r\n"


def multipart(*parts: bytes, end: bool = True) -> bytes:
    return b"".join(parts) + (f"--{BOUNDARY}--\r\n".encode() if end else b"")


async def read_multipart(chunks: list[bytes], **limits: float) -> list[tuple[bytes, str | None]]:
    asked = request(Sender(chunks), content_type=f"multipart/form-data; boundary={BOUNDARY}")
    parts = await read_files(
        asked,
        max_request_megabytes=limits.get("request", 1),
        max_file_megabytes=limits.get("file", 1),
        max_files=int(limits.get("files", 3)),
        idle_seconds=60,
    )
    return [(bytes(entry.body), entry.content_type) for entry in parts]


async def test_an_announced_length_is_refused_before_a_byte_is_read() -> None:
    sender = Sender([b"x" * 100])
    with pytest.raises(TooLarge, match=r"the body is 3\.0 MB; the limit is 1 MB \(ENDOMASK_MAX_FRAME_MEGABYTES\)"):
        await read_raw(request(sender, content_length="3000000"), 1, 60)
    assert sender.taken == 0


async def test_a_body_of_unknown_length_is_refused_while_it_comes() -> None:
    sender = Sender([b"x" * 400_000] * 10)
    with pytest.raises(TooLarge, match=r"more than 1\.2 MB"):
        await read_raw(request(sender), 1, 60)
    assert sender.taken == 3


async def test_a_body_of_exactly_the_limit_is_taken() -> None:
    assert len(await read_raw(request(Sender([b"x" * 500_000] * 2)), 1, 60)) == 1_000_000


async def test_an_empty_body_is_named() -> None:
    with pytest.raises(EmptyBody, match="send an encoded image"):
        await read_raw(request(Sender([b""])), 1, 60)


async def test_a_caller_who_hangs_up_while_sending_is_noticed() -> None:
    with pytest.raises(ClientDisconnect):
        await read_raw(request(Sender([b"x"], hangs_up=True)), 1, 60)


@pytest.mark.parametrize("encoding", ["gzip", "br", "zstd, gzip"])
def test_a_compressed_body_is_refused(encoding: str) -> None:
    with pytest.raises(UnsupportedMediaType, match="send the body as it is"):
        refuse_encoded(request(Sender([]), content_encoding=encoding))


async def test_files_keep_their_order_bytes_and_types() -> None:
    body = multipart(part(b"one"), part(b"", head=""), part(b"\r\n--front\r\n"))
    expected = [(b"one", "image/png"), (b"", None), (b"\r\n--front\r\n", "image/png")]
    assert await read_multipart([body]) == expected


@pytest.mark.parametrize("step", [1, 2, 3, 7])
async def test_chunks_may_be_cut_anywhere(step: int) -> None:
    body = multipart(part(b"one"), part(b"two\r\n"))
    cuts = [*range(0, len(body), step), len(body)]
    chunks = [body[start:end] for start, end in pairwise(cuts)]
    assert await read_multipart(chunks) == [(b"one", "image/png"), (b"two\r\n", "image/png")]


@pytest.mark.parametrize(
    ("body", "error", "sentence"),
    [
        (multipart(part(b"x"), part(b"x", name="threshold")), MalformedRequest, "part named 'threshold'"),
        (multipart(part(b"x"), end=False), MalformedRequest, "ends in the middle"),
        (b"", MalformedRequest, "ends in the middle"),
        (b"what is this", MalformedRequest, "can't be read"),
        (multipart(*[part(b"x")] * 4), TooLarge, "more than 3 files"),
        (multipart(part(b"x" * 600_000)), TooLarge, r"file 1 is more than 0\.5 MB"),
        (multipart(*[part(b"x" * 400_000)] * 3), TooLarge, "ENDOMASK_MAX_REQUEST_MEGABYTES"),
    ],
)
async def test_a_multipart_body_that_is_not_as_asked_is_refused(
    body: bytes, error: type[Exception], sentence: str
) -> None:
    with pytest.raises(error, match=sentence):
        await read_multipart([body], file=0.5)


async def test_a_missing_boundary_is_named() -> None:
    with pytest.raises(MalformedRequest, match="names no boundary"):
        await read_files(
            request(Sender([b"x"]), content_type="multipart/form-data"),
            max_request_megabytes=1,
            max_file_megabytes=1,
            max_files=1,
            idle_seconds=60,
        )
