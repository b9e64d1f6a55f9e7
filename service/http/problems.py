"""The one place where errors become answers: `application/problem+json`, one shape for every route."""

import logging
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import TimeoutError as NoConnectionLeft
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import Match

from service.errors import (
    CallerError,
    ChecksumMismatch,
    EndomaskError,
    InvalidParameter,
    MalformedRequest,
    MethodNotAllowed,
    NotFound,
    NotReady,
    TooLarge,
    Unavailable,
)
from service.schemas import Problem

log = logging.getLogger(__name__)

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
LONGEST_QUOTE = 80


class ProblemResponse(Response):
    media_type = "application/problem+json"


def describe(error: Exception, request_id: str) -> Problem:
    """What the caller is told. The detail of an error that is not ours stays in the log."""
    known = error if isinstance(error, EndomaskError) else EndomaskError("the service failed on this request")
    return Problem(
        title=_phrase(known.status),
        status=known.status,
        detail=str(known),
        code=known.code,
        request_id=request_id,
    )


def respond(error: Exception, request: Request, headers: dict[str, str] | None = None) -> Response:
    """The problem as an answer; server faults are logged with their trace."""
    problem = describe(error, request.state.request_id)
    request.state.code = problem.code
    if problem.status >= 500 and not isinstance(error, Unavailable):
        log.error("request %s failed", problem.request_id, exc_info=error)
    own = error.headers if isinstance(error, EndomaskError) else {}
    return ProblemResponse(problem.model_dump_json(), problem.status, {**own, **(headers or {})})


def _phrase(status: int) -> str:
    """The status in words; 460 is tus', and in no list of HTTP's."""
    return "Checksum Mismatch" if status == ChecksumMismatch.status else HTTPStatus(status).phrase


def install_handlers(app: FastAPI) -> None:
    @app.exception_handler(EndomaskError)
    async def on_known(request: Request, error: EndomaskError) -> Response:
        return respond(error, request)

    @app.exception_handler(RequestValidationError)
    async def on_invalid(request: Request, error: RequestValidationError) -> Response:
        return respond(InvalidParameter(explain_validation(error)), request)

    @app.exception_handler(HTTPException)
    async def on_http(request: Request, error: HTTPException) -> Response:
        return _answer_http_exception(request, error)

    @app.exception_handler(NoConnectionLeft)
    async def on_no_connection(request: Request, _error: NoConnectionLeft) -> Response:
        return respond(NotReady("every connection to the job database is in use; try again in a moment"), request)

    @app.exception_handler(ClientDisconnect)
    async def on_gone(request: Request, _error: ClientDisconnect) -> Response:
        request.state.code = "disconnected"
        return Response(status_code=499)


def explain_validation(error: RequestValidationError) -> str:
    """One readable sentence for each wrong parameter."""
    return "; ".join(_explain_one(entry) for entry in error.errors())


def _explain_one(entry: dict[str, Any]) -> str:
    where, name = entry["loc"][0], ".".join(str(part) for part in entry["loc"][1:]) or "body"
    if entry["type"] == "extra_forbidden":
        return f"there is no {where} parameter {_quote(name)}"
    if entry["type"] == "missing":
        return f"{where} parameter {_quote(name)} is missing"
    message = entry["msg"][0].lower() + entry["msg"][1:]
    return f"{name} is {_quote(entry['input'])}; {message}"


def _quote(value: object) -> str:
    text = repr(value)
    return text if len(text) <= LONGEST_QUOTE else f"{text[:LONGEST_QUOTE]}..."


def _answer_http_exception(request: Request, error: HTTPException) -> Response:
    """Starlette's own refusals, in our shape; OPTIONS is answered with what the path takes."""
    if error.status_code == 405:
        allowed = ", ".join(allowed_methods(request))
        if request.method == "OPTIONS":
            return Response(status_code=204, headers={"Allow": allowed})
        wrong = MethodNotAllowed(f"{request.url.path} doesn't take {request.method}; it takes {allowed}")
        return respond(wrong, request, {"Allow": allowed})
    if error.status_code == 404:
        return respond(NotFound(f"there is nothing at {_quote(request.url.path)}; /docs lists the routes"), request)
    kinds: dict[int, type[CallerError]] = {413: TooLarge, 422: InvalidParameter}
    kind = kinds.get(error.status_code, MalformedRequest) if error.status_code < 500 else EndomaskError
    return respond(kind(str(error.detail)), request, dict(error.headers or {}))


def allowed_methods(request: Request) -> list[str]:
    """Methods that some route takes at this path."""
    found = [method for method in METHODS if _takes(request, method)]
    return [*found, "HEAD", "OPTIONS"] if "GET" in found else [*found, "OPTIONS"]


def _takes(request: Request, method: str) -> bool:
    scope = {**request.scope, "method": method}
    return any(route.matches(scope)[0] is Match.FULL for route in request.app.router.routes)


def problem_responses(*errors: type[EndomaskError]) -> dict[int | str, dict[str, Any]]:
    """OpenAPI responses of a route for the errors that it can give, grouped by status; 500 is always among them."""
    by_status: dict[int, list[str]] = {}
    kinds: tuple[type[EndomaskError], ...] = (*errors, EndomaskError)
    for error in kinds:
        by_status.setdefault(error.status, []).append(error.code)
    return {status: _documented(status, codes) for status, codes in sorted(by_status.items())}


def _documented(status: int, codes: list[str]) -> dict[str, Any]:
    listed = ", ".join(f"`{code}`" for code in codes)
    documented: dict[str, Any] = {
        "description": f"{_phrase(status)}: code {listed}",
        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    if status in {429, 503, 507}:
        seconds = {"description": "Seconds to wait before the next try", "schema": {"type": "integer"}}
        documented["headers"] = {"Retry-After": seconds}
    return documented
