"""What the OpenAPI document says of `POST /v1/segment` beyond its parameters."""

from typing import Any

from service.errors import (
    Conflict,
    EmptyBody,
    InferenceFailed,
    InvalidParameter,
    MalformedRequest,
    NotAcceptable,
    NotReady,
    Overloaded,
    SlowSender,
    TooLarge,
    TooManyPixels,
    UndecodableFrame,
    UnknownModel,
    UnsupportedMediaType,
)
from service.http.problems import problem_responses
from service.imaging.codecs import ALLOWED_TYPES

_BINARY = {"schema": {"type": "string", "format": "binary"}}
_FILES = {
    "schema": {
        "type": "object",
        "required": ["file"],
        "properties": {"file": {"type": "array", "items": {"type": "string", "format": "binary"}, "minItems": 1}},
    }
}
REQUEST_BODY = {
    "required": True,
    "description": "One encoded image as it is, or multipart with one or more parts named `file`.",
    "content": {**dict.fromkeys(ALLOWED_TYPES, _BINARY), "multipart/form-data": _FILES},
}
ANSWER_HEADERS = {
    "X-Model": {"description": "The model and version that answered", "schema": {"type": "string"}},
    "Server-Timing": {"description": "Milliseconds in each stage", "schema": {"type": "string"}},
}
ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The frame's mask; for several files, each one's result or problem in their order.",
        "headers": ANSWER_HEADERS,
        "content": {
            "application/json": {
                "schema": {
                    "anyOf": [
                        {"$ref": "#/components/schemas/FrameAnswer"},
                        {"$ref": "#/components/schemas/FrameAnswers"},
                    ]
                }
            },
            "image/png": _BINARY,
            "image/jpeg": _BINARY,
        },
    }
}
REFUSALS = problem_responses(
    EmptyBody, MalformedRequest, UnknownModel, NotAcceptable, SlowSender, Conflict, TooLarge, TooManyPixels,
        UnsupportedMediaType,
    InvalidParameter, UndecodableFrame, NotReady, Overloaded, InferenceFailed,
)  # fmt: skip
