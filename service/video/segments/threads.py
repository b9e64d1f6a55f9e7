"""How the cores are shared out: to worker processes, and in each of them to the stages of a segment."""

from service.backends.cores import available_cores
from service.settings import Settings

_CORES_A_WORKER = 4
"""What a segment's stages keep busy by themselves."""
_CODEC_SHARE = 2
"""Decoding, encoding and inference each take a third of a frame's computing time, so with half of the cores a codec
holds nobody up."""
_MOST_CODEC_THREADS = 4
"""More of them make x264's pictures worse."""
_MOST_LANES = 8
"""More frames than these don't come out of one decoder while one is inferred."""


def worker_count(settings: Settings) -> int:
    """Worker processes beside a server on this machine."""
    return max(1, available_cores() // _CORES_A_WORKER) if settings.workers is None else settings.workers


def codec_threads(settings: Settings) -> int:
    """Threads of the encoder and of the decoder, each, in one worker of several."""
    return max(1, min(_MOST_CODEC_THREADS, _cores_of_a_worker(settings) // _CODEC_SHARE))


def inference_lanes(settings: Settings) -> int:
    """Frames that one worker of several infers beside each other, on a thread each: whatever cores the codecs leave
    free are used, and threads of one frame would wait for each other."""
    return max(1, min(_MOST_LANES, _cores_of_a_worker(settings)))


def _cores_of_a_worker(settings: Settings) -> int:
    return (settings.threads or available_cores()) // max(1, worker_count(settings))
