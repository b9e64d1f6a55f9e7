"""Is the process up, can it work, what did it count."""

from typing import Any

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from service.errors import NotReady
from service.http.problems import problem_responses
from service.metrics import Metrics
from service.registry import Registry
from service.schemas import Live, ModelRef, Ready
from service.settings import Settings

router = APIRouter(tags=["health"])


@router.get("/livez", summary="The process answers", operation_id="livez", responses=problem_responses())
async def livez() -> Live:
    return Live()


@router.get(
    "/readyz",
    summary="Models verified and warm, video workers alive",
    operation_id="readyz",
    responses=problem_responses(NotReady),
)
async def readyz(request: Request) -> Ready:
    registry: Registry = request.app.state.registry
    settings: Settings = request.app.state.settings
    workers = await run_in_threadpool(request.app.state.jobs.workers_alive)
    missing = [
        f"the device thread of {model.label} has ended" for model in registry.served() if not model.batcher.alive
    ]
    if settings.workers != 0 and workers == 0:
        missing.append("no video worker is alive")
    if missing:
        raise NotReady("; ".join(missing))
    models = [ModelRef(name=model.manifest.name, version=model.manifest.version) for model in registry.served()]
    return Ready(models=models, workers=workers)


_TEXT: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Prometheus text, or OpenMetrics when the Accept header asks for it",
        "content": {
            "text/plain": {"schema": {"type": "string"}},
            "application/openmetrics-text": {"schema": {"type": "string"}},
        },
    }
}


@router.get(
    "/metrics",
    summary="Metrics for Prometheus",
    operation_id="metrics",
    response_class=Response,
    responses={**_TEXT, **problem_responses()},
)
async def metrics(request: Request) -> Response:
    collected: Metrics = request.app.state.metrics
    body, content_type = await run_in_threadpool(collected.expose, request.headers.get("accept", ""))
    return Response(body, headers={"Content-Type": content_type})
