"""The files of a multipart body, handed on as they come: nothing of them is kept here."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from service.errors import MalformedRequest

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

FILE_FIELD = "file"


@dataclass(frozen=True, slots=True)
class FilePart:
    """What stands above a file in a multipart body."""

    number: int
    """1 for the first."""
    name: str | None
    """As the sender gave it."""
    content_type: str | None


async def file_pieces(content_type: str, body: AsyncIterator[bytes]) -> AsyncIterator[tuple[FilePart, bytes]]:
    """Bytes of each part named `file`, in order; the first piece of every part is empty. Raises MalformedRequest for
    other parts, and when the body can't be read or is cut off."""
    _, options = parse_options_header(content_type)
    boundary = options.get(b"boundary")
    if not boundary:
        raise MalformedRequest("the multipart content type names no boundary")
    reader = _Reader()
    try:
        parser = MultipartParser(boundary, reader.callbacks())
        async for chunk in body:
            parser.write(chunk)
            for piece in reader.take():
                yield piece
    except FormParserError as error:
        raise MalformedRequest(f"the multipart body can't be read: {error}") from error
    if not reader.ended:
        raise MalformedRequest("the multipart body ends in the middle")


class _Reader:
    """Turns the parser's callbacks into pieces."""

    def __init__(self) -> None:
        self.ended = False
        self._name = b""
        self._value = b""
        self._headers: dict[bytes, bytes] = {}
        self._part = FilePart(0, None, None)
        self._pieces: list[tuple[FilePart, bytes]] = []

    def take(self) -> list[tuple[FilePart, bytes]]:
        """What has come since."""
        taken, self._pieces = self._pieces, []
        return taken

    def callbacks(self) -> "MultipartCallbacks":
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
        self._name += data[start:end]

    def _add_header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _end_header(self) -> None:
        self._headers[self._name.lower()] = self._value
        self._name = self._value = b""

    def _end_headers(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition"))
        field = options.get(b"name", b"").decode("utf-8", "replace")
        if field != FILE_FIELD:
            raise MalformedRequest(
                f"there is a part named {field[:40]!r}; files are {FILE_FIELD!r}, parameters go into the query"
            )
        name = options.get(b"filename", b"").decode("utf-8", "replace")
        content_type = self._headers.get(b"content-type", b"").decode("latin-1")
        self._part = FilePart(self._part.number + 1, name or None, content_type or None)
        self._pieces.append((self._part, b""))

    def _add_data(self, data: bytes, start: int, end: int) -> None:
        self._pieces.append((self._part, data[start:end]))

    def _end(self) -> None:
        self.ended = True
