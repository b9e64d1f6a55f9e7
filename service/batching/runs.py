"""A batch on a device, each of its frames with a fate of its own."""

import logging
import time
import traceback
from collections.abc import Callable

import numpy as np

from service.backends import Backend
from service.batching.tickets import Inference, Item
from service.errors import EndomaskError, InferenceFailed
from service.imaging.geometry import U8

log = logging.getLogger(__name__)


class Runs:
    """`on_run` is told the size and the seconds of every batch that ran, before its frames are answered."""

    def __init__(self, label: str, on_run: Callable[[int, float], None]) -> None:
        self._label = label
        self._on_run = on_run

    def run(self, backend: Backend, batch: list[Item]) -> list[Inference | EndomaskError]:
        """Each frame's own; when the batch fails, its frames run one by one, so that only the bad one fails."""
        started_at = time.perf_counter()
        probabilities = self._infer(backend, batch)
        if isinstance(probabilities, EndomaskError):
            return [probabilities] if len(batch) == 1 else [self.run(backend, [item])[0] for item in batch]
        infer_seconds = time.perf_counter() - started_at
        self._on_run(len(batch), infer_seconds)
        return [
            Inference(planes, started_at - item.submitted_at, infer_seconds)
            for item, planes in zip(batch, probabilities, strict=True)
        ]

    def _infer(self, backend: Backend, batch: list[Item]) -> U8 | EndomaskError:
        try:
            return self._masks(backend, batch)
        except Exception as error:  # noqa: BLE001 - whatever it is, it belongs to the callers, and the thread lives on
            if len(batch) > 1:
                seen = self._label, len(batch), str(error)
                log.warning("%s failed on a batch of %d frames, trying them singly: %s", *seen)
            return self._explain(error)

    def _masks(self, backend: Backend, batch: list[Item]) -> U8:
        probabilities = backend.run(_stack([item.frame for item in batch]))
        if len(probabilities) != len(batch):
            raise InferenceFailed(f"{self._label} gave {len(probabilities)} masks for {len(batch)} frames")
        return probabilities

    def _explain(self, error: Exception) -> EndomaskError:
        """The trace goes with it as text: a traceback holds the batch, whose futures will hold the error, and all of
        them would live on until the garbage collector came."""
        failed = InferenceFailed(f"{self._label} failed on this frame")
        explained = error if isinstance(error, EndomaskError) else failed
        explained.add_note("".join(traceback.format_exception(error)))
        explained.__cause__ = explained.__context__ = None
        return explained.with_traceback(None)


def _stack(frames: list[U8]) -> U8:
    """uint8 [h, w, 3] of each -> [n, h, w, 3], contiguous; one alone is not copied."""
    return np.ascontiguousarray(frames[0])[None] if len(frames) == 1 else np.stack(frames)
