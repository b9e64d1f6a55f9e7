"""The parameters of `POST /v1/segment`: read from the query once for all requests that ask the same, and documented.

FastAPI reads a model of parameters field by field, which takes longer than all else that it does for a frame.
"""

from functools import lru_cache
from typing import Any

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.datastructures import QueryParams

from service.answers import MaskFormat, Output
from service.pipeline import Size


class SegmentQuery(BaseModel):
    """Every parameter of a request; others are refused, so that a misspelt one is not silently ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    model: str | None = Field(default=None, max_length=64)
    """Model to ask; the default one when left out."""
    version: int | None = Field(default=None, ge=1, le=2**31)
    """Version to ask; the newest when left out."""
    threshold: float | None = Field(default=None, ge=0, le=1, allow_inf_nan=False)
    """Probability from which a pixel counts as found; the model's own when left out."""
    output: Output | None = None
    """What to answer; by the Accept header when left out: JSON, `image/png` mask or `image/jpeg` overlay."""
    mask: MaskFormat = "rle"
    """Form of the mask inside JSON: COCO run lengths, base64 PNG, polygons, or none."""
    size: Size = "frame"
    """Size of the mask: the frame's, or the model's own (quicker; its numbers are in its pixels)."""


@lru_cache(maxsize=256)
def read_query(query_string: bytes) -> SegmentQuery:
    """The last value of each parameter; raises RequestValidationError as FastAPI does."""
    try:
        return SegmentQuery.model_validate(dict(QueryParams(query_string)))
    except ValidationError as error:
        raise RequestValidationError([{**entry, "loc": ("query", *entry["loc"])} for entry in error.errors()]) from None


def document_query() -> list[dict[str, Any]]:
    """The OpenAPI parameters."""
    return [
        {
            "name": name,
            "in": "query",
            "required": False,
            "schema": _without_null(schema),
            "description": schema["description"],
        }
        for name, schema in SegmentQuery.model_json_schema()["properties"].items()
    ]


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """A parameter that may be left out has no default of null to name."""
    return {key: value for key, value in schema.items() if (key, value) != ("default", None)}
