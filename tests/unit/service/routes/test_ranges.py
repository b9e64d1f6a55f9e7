"""Ranges of stored files, against RFC 9110's examples, its words on the edges, and Starlette's FileResponse."""

import os
from collections.abc import Awaitable, Callable
from email.utils import formatdate
from pathlib import Path
from typing import BinaryIO

import pytest
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient

from service.errors import MalformedRequest, RangeNotSatisfiable, UnknownVideo
from service.routes.ranges import ByteRange, stored_file_response

CONTENT = bytes(range(256)) * 4096


WRITTEN_AT = 1_700_000_000
WRITTEN = formatdate(WRITTEN_AT, usegmt=True)
LATER, EARLIER = formatdate(WRITTEN_AT + 1, usegmt=True), formatdate(WRITTEN_AT - 1, usegmt=True)
HEAD = ("Content-Length", "Content-Range", "Content-Type", "Accept-Ranges", "Last-Modified")


class Held:
    """A file on disk that remembers what was opened of it."""

    size = len(CONTENT)
    etag = '"held"'
    modified = WRITTEN_AT + 0.7

    def __init__(self, path: Path) -> None:
        self.path = path
        self.opened: list[BinaryIO] = []

    def open(self) -> BinaryIO:
        if not self.path.exists():
            raise UnknownVideo("gone")
        self.opened.append(self.path.open("rb"))
        return self.opened[-1]


@pytest.mark.parametrize(
    ("header", "first", "last"),
    [
        ("bytes=0-499", 0, 499),
        ("bytes=500-999", 500, 999),
        ("bytes=-500", 9500, 9999),
        ("bytes=9500-", 9500, 9999),
        ("bytes=0-0", 0, 0),
        ("bytes=-1", 9999, 9999),
        ("bytes=9000-20000", 9000, 9999),
        ("bytes=-20000", 0, 9999),
        (" Bytes = 1 - 2 ", 1, 2),
    ],
)
def test_a_range_is_read_as_the_standard_says(header: str, first: int, last: int) -> None:
    assert ByteRange.parse(header, 10_000) == ByteRange(first, last)


@pytest.mark.parametrize("header", ["lines=1-2", "bytes=0-1,3-4", "bytes=0-1,10000-", "bytes=x,y"])
def test_other_units_and_several_ranges_give_the_whole_file(header: str) -> None:
    assert ByteRange.parse(header, 10_000) is None


@pytest.mark.parametrize("header", ["bytes=10000-", "bytes=20-10", "bytes=-0"])
def test_a_range_beyond_the_file_is_refused_with_its_size(header: str) -> None:
    with pytest.raises(RangeNotSatisfiable, match="10000 bytes") as refused:
        ByteRange.parse(header, 10_000)
    assert refused.value.headers == {"Content-Range": "bytes */10000"}


@pytest.mark.parametrize("header", ["bytes=x-y", "bytes=", "bytes=-", "bytes=5", "bytes=1-2-3", f"bytes={'9' * 5000}-"])
def test_what_is_no_range_is_told_so(header: str) -> None:
    with pytest.raises(MalformedRequest, match="bytes=0-1023"):
        ByteRange.parse(header, 10_000)


def test_every_range_of_an_empty_file_is_beyond_it() -> None:
    with pytest.raises(RangeNotSatisfiable):
        ByteRange.parse("bytes=0-", 0)


@pytest.fixture
def held(tmp_path: Path) -> Held:
    path = tmp_path / "held.mp4"
    path.write_bytes(CONTENT)
    os.utime(path, (WRITTEN_AT, WRITTEN_AT))
    return Held(path)


@pytest.fixture
def client(held: Held) -> TestClient:
    """`/` is ours, `/starlette` the same file by another hand."""

    def ours(request: Request) -> Response:
        return stored_file_response(request, held, media_type="video/mp4", headers={"X-More": "yes"})

    def starlettes(request: Request) -> Response:
        return FileResponse(held.path, media_type="video/mp4", headers={"ETag": held.etag})

    return TestClient(Starlette(routes=[Route("/", ours), Route("/starlette", starlettes)]))


def test_the_whole_file_comes_with_its_length_etag_and_time(client: TestClient) -> None:
    answer = client.get("/")
    assert (answer.status_code, answer.content) == (200, CONTENT)
    assert answer.headers["Content-Length"] == str(len(CONTENT))
    assert (answer.headers["ETag"], answer.headers["Accept-Ranges"]) == ('"held"', "bytes")
    assert (answer.headers["Content-Type"], answer.headers["X-More"]) == ("video/mp4", "yes")
    assert answer.headers["Last-Modified"] == WRITTEN


@pytest.mark.parametrize("condition", [{}, {"If-Range": '"held"'}, {"If-Range": WRITTEN}])
def test_a_range_comes_alone(client: TestClient, condition: dict[str, str]) -> None:
    answer = client.get("/", headers={"Range": "bytes=300000-900000", **condition})
    assert (answer.status_code, answer.content) == (206, CONTENT[300000:900001])
    assert answer.headers["Content-Range"] == f"bytes 300000-900000/{len(CONTENT)}"
    assert answer.headers["Content-Length"] == "600001"


@pytest.mark.parametrize("condition", ['"another"', 'W/"held"', EARLIER, LATER])
def test_a_file_that_has_changed_since_comes_whole(client: TestClient, condition: str) -> None:
    answer = client.get("/", headers={"Range": "bytes=0-9", "If-Range": condition})
    assert (answer.status_code, answer.content) == (200, CONTENT)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Range": "bytes=0-0"},
        {"Range": "bytes=5-"},
        {"Range": "bytes=-7"},
        {"Range": f"bytes=-{2 * len(CONTENT)}"},
        {"Range": f"bytes=10-{2 * len(CONTENT)}"},
        {"Range": f"bytes={len(CONTENT) - 1}-"},
        {"Range": "bytes=0-9", "If-Range": '"held"'},
        {"Range": "bytes=0-9", "If-Range": '"another"'},
        {"Range": "bytes=0-9", "If-Range": WRITTEN},
        {"Range": "bytes=0-9", "If-Range": EARLIER},
    ],
    ids=str,
)
def test_starlettes_own_file_response_answers_the_same(client: TestClient, headers: dict[str, str]) -> None:
    ours, theirs = (client.get(path, headers=headers) for path in ("/", "/starlette"))
    assert (ours.status_code, ours.content) == (theirs.status_code, theirs.content)
    assert {name: ours.headers.get(name) for name in HEAD} == {name: theirs.headers.get(name) for name in HEAD}


@pytest.mark.parametrize(
    "condition",
    [
        {"If-None-Match": '"held"'},
        {"If-None-Match": 'W/"held"'},
        {"If-None-Match": '"another", "held"'},
        {"If-None-Match": "*"},
        {"If-Modified-Since": WRITTEN},
        {"If-Modified-Since": LATER},
    ],
    ids=str,
)
def test_who_has_the_file_is_sent_nothing(client: TestClient, held: Held, condition: dict[str, str]) -> None:
    answer = client.get("/", headers={"Range": "bytes=0-9", **condition})
    assert (answer.status_code, answer.content) == (304, b"")
    assert (answer.headers["ETag"], answer.headers["Last-Modified"]) == ('"held"', WRITTEN)
    assert not held.opened


@pytest.mark.parametrize(
    "condition",
    [
        {"If-None-Match": '"another"'},
        {"If-None-Match": '"another"', "If-Modified-Since": LATER},
        {"If-Modified-Since": EARLIER},
        {"If-Modified-Since": "yesterday"},
        {"If-Modified-Since": ""},
    ],
    ids=str,
)
def test_who_has_another_file_is_sent_this_one(client: TestClient, condition: dict[str, str]) -> None:
    assert client.get("/", headers=condition).content == CONTENT


def request_of(**headers: str) -> Request:
    return Request({"type": "http", "method": "GET", "headers": [(k.encode(), v.encode()) for k, v in headers.items()]})


async def collect(response: Response, send: Callable[[bytes], Awaitable[None]]) -> None:
    async def receive() -> dict[str, object]:
        raise AssertionError("nothing is asked of the caller")

    async def on_message(message: dict[str, object]) -> None:
        await send(bytes(message.get("body", b"")))  # type: ignore[call-overload]

    scope = {"type": "http", "asgi": {"spec_version": "2.4"}}
    await response(scope, receive, on_message)  # type: ignore[arg-type]


async def test_a_file_that_goes_after_the_headers_still_comes_whole(held: Held) -> None:
    response = stored_file_response(request_of(), held, media_type="video/mp4", headers={})
    held.path.unlink()
    received = bytearray()

    async def keep(body: bytes) -> None:
        received.extend(body)

    await collect(response, keep)
    assert received == CONTENT
    assert held.opened[0].closed


def test_a_file_that_goes_before_the_headers_is_refused_in_order(held: Held) -> None:
    held.path.unlink()
    with pytest.raises(UnknownVideo):
        stored_file_response(request_of(), held, media_type="video/mp4", headers={})


async def test_a_file_is_closed_when_its_reader_hangs_up_at_once(held: Held) -> None:
    async def hang_up(_: bytes) -> None:
        raise OSError("gone")

    response = stored_file_response(request_of(), held, media_type="video/mp4", headers={})
    with pytest.raises(ClientDisconnect):
        await collect(response, hang_up)
    assert held.opened[0].closed
