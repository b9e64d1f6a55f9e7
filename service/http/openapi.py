"""The OpenAPI document: FastAPI's, with the schemas of answers that are sent as ready bytes."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema

from service.schemas import FrameAnswer, FrameAnswers, Problem

DESCRIPTION = (
    "Segmentation of surgical and endoscopic images: frames, videos, metrics. "
    "Every refusal is `application/problem+json` with a stable `code`. Not a medical device."
)


def install_openapi(app: FastAPI) -> None:
    """Make `app.openapi()` build the document once, when it is first asked for."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _build(app)
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]  # FastAPI's documented way to extend the document


def _build(app: FastAPI) -> dict[str, Any]:
    document = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    models = [(model, "serialization") for model in (FrameAnswer, FrameAnswers, Problem)]
    schemas.update(models_json_schema(models, ref_template="#/components/schemas/{model}")[1]["$defs"])  # type: ignore[arg-type]
    for operations in document["paths"].values():
        for operation in operations.values():
            _drop_fastapi_422(operation["responses"])
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    return document


def _drop_fastapi_422(responses: dict[str, Any]) -> None:
    """FastAPI documents its own 422 wherever there is a parameter; ours are documented by `problem_responses`."""
    if "HTTPValidationError" in str(responses.get("422")):
        del responses["422"]
