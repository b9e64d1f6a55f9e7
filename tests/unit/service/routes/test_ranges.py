"""Ranges of stored files, against RFC 9110's examples and what its words say of the edges."""

import io
from typing import BinaryIO

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.testclient import TestClient

from service.errors import MalformedRequest, RangeNotSatisfiable
from service.routes.ranges import ByteRange, stored_file_response

CONTENT = bytes(range(256)) * 4096


class Held:
    """A file in memory."""

    size = len(CONTENT)
    etag = '"held"'

    def open(self) -> BinaryIO:
        return io.BytesIO(CONTENT)


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
def client() -> TestClient:
    def give(request: Request) -> Response:
        return stored_file_response(request, Held(), media_type="video/mp4", headers={"X-More": "yes"})

    return TestClient(Starlette(routes=[Route("/", give)]))


def test_the_whole_file_comes_with_its_length_and_etag(client: TestClient) -> None:
    answer = client.get("/")
    assert (answer.status_code, answer.content) == (200, CONTENT)
    assert answer.headers["Content-Length"] == str(len(CONTENT))
    assert (answer.headers["ETag"], answer.headers["Accept-Ranges"]) == ('"held"', "bytes")
    assert (answer.headers["Content-Type"], answer.headers["X-More"]) == ("video/mp4", "yes")


@pytest.mark.parametrize("condition", [{}, {"If-Range": '"held"'}])
def test_a_range_comes_alone(client: TestClient, condition: dict[str, str]) -> None:
    answer = client.get("/", headers={"Range": "bytes=300000-900000", **condition})
    assert (answer.status_code, answer.content) == (206, CONTENT[300000:900001])
    assert answer.headers["Content-Range"] == f"bytes 300000-900000/{len(CONTENT)}"
    assert answer.headers["Content-Length"] == "600001"


@pytest.mark.parametrize("condition", ['"another"', "Wed, 21 Oct 2015 07:28:00 GMT"])
def test_a_file_that_has_changed_since_comes_whole(client: TestClient, condition: str) -> None:
    answer = client.get("/", headers={"Range": "bytes=0-9", "If-Range": condition})
    assert (answer.status_code, answer.content) == (200, CONTENT)
