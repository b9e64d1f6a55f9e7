"""The model of a video: a segment always has a next frame, so frames are inferred in lanes of one thread each."""

from functools import partial

from service.loading import LoadedModel, load_model, open_best
from service.manifest.package import Package
from service.settings import Settings
from service.video.segments.threads import inference_lanes


def load_for_videos(package: Package, settings: Settings) -> LoadedModel:
    """Raises StartError."""
    in_lanes = partial(open_best, lanes=inference_lanes(settings))
    return load_model(package, settings.model_copy(update={"threads": 1}), in_lanes)
