"""What an upload may ask for, and what that means on this server."""

from pydantic import BaseModel, ConfigDict, Field

from service.errors import InvalidParameter, UnknownModel
from service.loading import packages_on_disk
from service.registry import Registry
from service.settings import Settings
from service.video.jobs.asked import Asked
from service.video.options import (
    ALL_OUTPUTS,
    LONGEST_BRIDGE_S,
    LONGEST_SMOOTHING,
    OutOfBodyChoice,
    Output,
    VideoOptions,
)

LONGEST_KEY = 255


class UploadQuery(BaseModel):
    """Every parameter of an upload; others are refused."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    model: str | None = Field(default=None, max_length=64)
    """Model to use; the default one when left out."""
    version: int | None = Field(default=None, ge=1, le=2**31)
    """Version to use; the newest when left out."""
    threshold: float | None = Field(default=None, ge=0, le=1, allow_inf_nan=False)
    """Probability from which a pixel counts as found; the model's own when left out."""
    frame_step: int = Field(default=1, ge=1, le=10_000)
    """Segment every n-th frame. The annotated video keeps all frames and holds the latest mask."""
    max_frames: int | None = Field(default=None, ge=1, le=2**31)
    """Read the first n frames only."""
    outputs: str | None = Field(default=None, max_length=100)
    """Some of `annotated`, `frames`, `masks`, `report`, with commas; all when left out. summary.json is always made."""
    smoothing: int = Field(default=1, ge=1, le=LONGEST_SMOOTHING)
    """Decide on the mean probabilities of a segmented frame and the n - 1 before it; 1 is without smoothing."""
    bridge_s: float = Field(default=0, ge=0, le=LONGEST_BRIDGE_S, allow_inf_nan=False)
    """Seconds out of view that don't interrupt an interval in view, in summary and report."""
    out_of_body: OutOfBodyChoice = "off"
    """Look for frames that don't show the inside of a body, by their colours: `mark` them in rows and summary, or
    `pixelate` them in the annotated video and the report, too. What it misses is in docs/api.md."""
    retention_hours: float | None = Field(default=None, gt=0, le=1e6, allow_inf_nan=False)
    """Delete upload and results so many hours after the job's end; as the server is set when left out."""


def read_query(query: UploadQuery, registry: Registry, settings: Settings, *, caller: str, key: str | None) -> Asked:
    """Raises UnknownModel, InvalidParameter."""
    model, version = _choose_model(registry, settings, query)
    return Asked(
        model=model,
        version=version,
        options=_options(query, settings),
        retention_hours=query.retention_hours,
        name=None,
        idempotency_key=key,
        caller=caller,
    )


def _choose_model(registry: Registry, settings: Settings, query: UploadQuery) -> tuple[str, int]:
    """Name and version; the job keeps the version, whatever is served later. Raises UnknownModel."""
    served = registry.get(query.model or settings.default_model).manifest
    if query.version is None:
        return served.name, served.version
    versions = packages_on_disk(settings.models_dir, served.name)
    if query.version not in versions:
        raise UnknownModel(
            f"model {served.name} has no version {query.version}; there is {', '.join(map(str, versions))}"
        )
    return served.name, query.version


def _options(query: UploadQuery, settings: Settings) -> VideoOptions:
    return VideoOptions(
        frame_step=query.frame_step,
        max_frames=query.max_frames,
        threshold=query.threshold,
        outputs=_outputs(query.outputs),
        smoothing=query.smoothing,
        bridge_s=query.bridge_s,
        out_of_body=query.out_of_body,
        segment_seconds=settings.segment_seconds,
        overlay_opacity=settings.overlay_opacity,
        encoder=settings.video_encoder,
    )


def _outputs(asked: str | None) -> tuple[Output, ...]:
    if asked is None:
        return ALL_OUTPUTS
    names = {name.strip() for name in asked.split(",")}
    if unknown := names.difference(ALL_OUTPUTS):
        raise InvalidParameter(f"outputs has {sorted(unknown)[0][:40]!r}; it takes {', '.join(ALL_OUTPUTS)}")
    return tuple(output for output in ALL_OUTPUTS if output in names)
