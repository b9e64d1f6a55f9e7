"""Files of a multipart body, however it is cut."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.errors import MalformedRequest
from service.http.multipart import FilePart, file_pieces
from tests.support.bodies import pieces

KIND = "multipart/form-data; boundary=edge"
HEAD = b'--edge\r\nContent-Disposition: form-data; name="file"'
BODY = (
    HEAD + b'; filename="\xc3\xa4.mp4"\r\nContent-Type: video/mp4\r\n\r\nsome\r\n--bytes\r\n'
    + HEAD + b"\r\n\r\n\r\n--edge--\r\n"
)  # fmt: skip


async def read(body: bytes, sizes: list[int], kind: str = KIND) -> dict[FilePart, bytes]:
    found: dict[FilePart, bytes] = {}
    async for part, piece in file_pieces(kind, pieces(body, sizes)):
        found[part] = found.get(part, b"") + piece
    return found


@given(st.lists(st.integers(min_value=1, max_value=30), max_size=60))
def test_the_files_are_found_however_the_body_is_cut(sizes: list[int]) -> None:
    assert asyncio.run(read(BODY, sizes)) == {
        FilePart(1, "ä.mp4", "video/mp4"): b"some\r\n--bytes",
        FilePart(2, None, None): b"",
    }


async def test_a_file_is_handed_on_before_the_body_has_ended() -> None:
    taken: list[bytes] = []

    async def chunks() -> AsyncIterator[bytes]:
        yield BODY[:110]
        assert b"".join(taken).startswith(b"some")
        yield BODY[110:]

    async for _, piece in file_pieces(KIND, chunks()):
        taken.append(piece)
    assert b"".join(taken) == b"some\r\n--bytes"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (BODY[:-10], "ends in the middle"),
        (b"", "ends in the middle"),
        (b"what is this", "can't be read"),
        (BODY.replace(b'"file"', b'"threshold"', 1), "part named 'threshold'"),
        (BODY.replace(b"name=", b"game="), "part named ''"),
        (BODY.replace(b"form-data; name", b"form-data\r\n; name", 1), "can't be read"),
        (BODY.replace(b"video/mp4", b"v" * 5000), "can't be read"),
    ],
)
async def test_what_is_no_multipart_body_of_files_is_refused(body: bytes, said: str) -> None:
    with pytest.raises(MalformedRequest, match=said):
        await read(body, [50])


@pytest.mark.parametrize("kind", ["multipart/form-data", "multipart/form-data; boundary=", ""])
async def test_a_missing_boundary_is_named(kind: str) -> None:
    with pytest.raises(MalformedRequest, match="names no boundary"):
        await read(BODY, [], kind)
