"""How the cores are shared out: to worker processes, and in each of them to the stages of a segment."""

from service.backends.cores import available_cores
from service.settings import Settings

_CORES_A_WORKER = 4
"""What a segment's stages keep busy by themselves."""
_WIDE_STAGES = 2
"""Inference and encoding each take a third of a frame's computing time, so with half of the cores each neither holds
the other up."""
_MOST_THREADS = 4
"""More of them make x264's pictures worse and a small net no faster."""


def worker_count(settings: Settings) -> int:
    """Worker processes beside a server on this machine."""
    return max(1, available_cores() // _CORES_A_WORKER) if settings.workers is None else settings.workers


def stage_threads(settings: Settings) -> int:
    """Threads of inference, of the encoder and of the decoder, each, in one worker of several."""
    cores = settings.threads or available_cores()
    share = cores // max(1, worker_count(settings))
    return max(1, min(_MOST_THREADS, share // _WIDE_STAGES))


def settings_of_a_stage(settings: Settings) -> Settings:
    """To load a model with, for videos: what is fastest for a lone frame is measured on all cores, which the other
    stages need."""
    return settings.model_copy(update={"threads": stage_threads(settings)})
