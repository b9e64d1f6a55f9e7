"""`/v1/models`: what is served, with which backend, and the swap to a newer version."""

from typing import Any

from fastapi import APIRouter, Request

from service.errors import Conflict, UnknownModel
from service.http.problems import problem_responses
from service.registry import Registry, ServedModel
from service.schemas import ModelDetail, ModelList, ModelRef, ModelSummary, ReloadAnswer
from service.settings import Settings

router = APIRouter(prefix="/v1/models", tags=["models"])


@router.get("", summary="The models that answer", operation_id="list_models", responses=problem_responses())
async def list_models(request: Request) -> ModelList:
    return ModelList(models=[ModelSummary(**_summary(request, model)) for model in _registry(request).served()])


@router.get(
    "/{name}",
    summary="One model: its manifest and what it runs on",
    operation_id="get_model",
    responses=problem_responses(UnknownModel),
)
async def get_model(request: Request, name: str) -> ModelDetail:
    model = _registry(request).get(name)
    golden = model.loaded.golden
    return ModelDetail(
        **_summary(request, model),
        manifest=model.manifest.model_dump(mode="json"),
        golden={"largest_difference": golden.largest_difference, "changed_share": golden.changed_share},
    )


@router.post(
    "/{name}/reload",
    summary="Serve the newest version on disk",
    operation_id="reload_model",
    responses=problem_responses(UnknownModel, Conflict),
)
async def reload_model(request: Request, name: str) -> ReloadAnswer:
    """Running requests end on the version that they began with; no request fails. A package that does not hold is
    refused with 409, and the old version serves on."""
    model, changed = await _registry(request).reload(name)
    request.state.model = model.label
    return ReloadAnswer(model=ModelRef(name=model.manifest.name, version=model.manifest.version), changed=changed)


def _registry(request: Request) -> Registry:
    registry: Registry = request.app.state.registry
    return registry


def _summary(request: Request, model: ServedModel) -> dict[str, Any]:
    settings: Settings = request.app.state.settings
    manifest, backend, under_load = model.manifest, model.loaded.backend, model.batcher.under_load
    return {
        "name": manifest.name,
        "version": manifest.version,
        "versions": _registry(request).versions(manifest.name),
        "default": manifest.name == settings.default_model,
        "classes": [entry.model_dump() for entry in manifest.classes],
        "backend": backend.name,
        "provider": backend.provider,
        "precision": backend.precision,
        "threads": backend.threads,
        "lanes": under_load.lanes,
        "lane_threads": under_load.threads,
        "candidates": [
            candidate.model_dump() | {"chosen_under_load": candidate.chosen_under_load and under_load is not backend}
            for candidate in model.loaded.choice.candidates
        ],
    }
