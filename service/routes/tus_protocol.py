"""The tus protocol's headers (https://tus.io/protocols/resumable-upload, version 1.0.0), read and written."""

import base64
import hashlib
import re
from collections.abc import Callable, Coroutine
from email.utils import formatdate
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import ValidationError

from service.errors import EndomaskError, InvalidParameter, MalformedRequest, OtherProtocol
from service.http.problems import explain_validation, respond
from service.routes.video_query import UploadQuery
from service.video.uploads.arrival import ALGORITHMS, PartChecksum

VERSION = "1.0.0"
EXTENSIONS = "creation,creation-with-upload,expiration,checksum,termination"
PART_TYPE = "application/offset+octet-stream"
_NAMES = ("filename", "name")
_SENT_BY_CLIENTS = {"filetype", "type", "relativePath"}
"""Metadata that clients add by themselves, and that say nothing which the file does not."""
_SHA256 = re.compile(r"[0-9a-f]{64}")


class TusRoute(APIRoute):
    """A route whose every answer, a refusal too, names the protocol's version."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def answer(request: Request) -> Response:
            try:
                _require_version(request)
                response = await handle(request)
            except EndomaskError as error:
                response = respond(error, request)
                if isinstance(error, OtherProtocol):
                    response.headers["Tus-Version"] = VERSION
            except RequestValidationError as error:
                response = respond(InvalidParameter(explain_validation(error)), request)
            response.headers["Tus-Resumable"] = VERSION
            return response

        return answer


def _require_version(request: Request) -> None:
    """Raise OtherProtocol. Reading an upload's state needs no tus client."""
    spoken = request.headers.get("tus-resumable")
    if spoken != VERSION and not (spoken is None and request.method in {"GET", "OPTIONS"}):
        raise OtherProtocol(f"Tus-Resumable is {(spoken or '')[:20]!r}; this server speaks {VERSION}")


def read_number(request: Request, name: str) -> int:
    """Raises MalformedRequest."""
    text = request.headers.get(name, "")
    if not re.fullmatch(r"[0-9]{1,18}", text):
        raise MalformedRequest(f"{name} is {text[:40]!r}; it has to be a number of bytes")
    return int(text)


def read_checksum(request: Request) -> PartChecksum | None:
    """`Upload-Checksum: sha256 <base64>`; raises MalformedRequest."""
    text = request.headers.get("upload-checksum")
    if text is None:
        return None
    algorithm, _, encoded = text.strip().partition(" ")
    if algorithm not in ALGORITHMS:
        raise MalformedRequest(f"Upload-Checksum names {algorithm[:20]!r}; it takes {', '.join(ALGORITHMS)}")
    digest = _decode(encoded, "Upload-Checksum")
    if len(digest) != hashlib.new(algorithm, usedforsecurity=False).digest_size:
        raise MalformedRequest(f"Upload-Checksum holds {len(digest)} bytes, which no {algorithm} has")
    return PartChecksum(algorithm, digest)


def read_metadata(request: Request) -> tuple[UploadQuery, str | None, str | None]:
    """`Upload-Metadata: key <base64>,key <base64>` -> parameters, file name, sha256 of the whole in hexadecimal. Raises
    MalformedRequest, InvalidParameter, RequestValidationError."""
    given: dict[str, str] = {}
    for entry in filter(None, (part.strip() for part in request.headers.get("upload-metadata", "").split(","))):
        key, _, encoded = entry.partition(" ")
        if key in given:
            raise MalformedRequest(f"Upload-Metadata names {key[:40]!r} twice")
        given[key] = _decode(encoded, f"Upload-Metadata's {key[:40]}").decode("utf-8", "replace")
    names = [given.pop(key) for key in _NAMES if key in given]
    sha256 = given.pop("sha256", None)
    if sha256 is not None and not _SHA256.fullmatch(sha256.lower()):
        raise InvalidParameter(f"sha256 is {sha256[:80]!r}; it has to be 64 hexadecimal digits")
    parameters = {key: value for key, value in given.items() if key not in _SENT_BY_CLIENTS}
    try:
        query = UploadQuery.model_validate(parameters)
    except ValidationError as error:
        wrong = [{**entry, "loc": ("metadata", *entry["loc"])} for entry in error.errors()]
        raise RequestValidationError(wrong) from error
    return query, next(filter(None, names), None), sha256.lower() if sha256 else None


def expires(seconds: float) -> str:
    """Seconds since 1970 -> as HTTP writes it."""
    return formatdate(seconds, usegmt=True)


def _decode(encoded: str, where: str) -> bytes:
    try:
        return base64.b64decode(encoded.strip(), validate=True)
    except ValueError as error:  # also for what is not ASCII
        raise MalformedRequest(f"{where} is not base64: {encoded[:40]!r}") from error
