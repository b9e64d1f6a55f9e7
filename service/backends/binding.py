"""A session whose inputs and outputs lie in fixed buffers on its device, one set for each batch size.

Fixed addresses are what CUDA graphs ask for, and they spare an allocation each run. The CPU goes the same way.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import onnxruntime as ort

from service.backends.buckets import bucket_of
from service.backends.pinned import staging
from service.backends.providers import Device
from service.imaging.geometry import U8
from service.manifest.schema import INPUT_NAME, OUTPUT_NAME


class BoundSession:
    """Runs batches on one device, one at a time. `runtime` page-locks host memory; None on the CPU."""

    def __init__(
        self, session: ort.InferenceSession, device: Device, buckets: tuple[int, ...], runtime: Any | None
    ) -> None:
        self._session = session
        self._device = device
        self._buckets = buckets
        self._runtime = runtime
        self._bound: dict[int, _Bound] = {}

    def run(self, frames: U8) -> U8:
        """RGB uint8 [N, h, w, 3] -> probabilities uint8 [N, C, h, w]; raises whatever the runtime raises."""
        size = bucket_of(len(frames), self._buckets)
        if size not in self._bound:
            self._bound[size] = _Bound(self._session, self._device, size, self._runtime)
        return self._bound[size].run(frames)


class OwnThread:
    """A session that is opened and run in one thread, which ends with it: ONNX Runtime captures CUDA graphs for each
    thread, so that what the warm-up captured is what frames get, whichever thread brings them."""

    def __init__(self, open_session: Callable[[], BoundSession]) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="gpu")
        self._session = self._thread.submit(open_session).result()

    def run(self, frames: U8) -> U8:
        """What `BoundSession.run` gives and raises."""
        return self._thread.submit(self._session.run, frames).result()


class _Bound:
    """The buffers of one batch size. Their address is the captured CUDA graph's, which has the size for its name."""

    def __init__(self, session: ort.InferenceSession, device: Device, size: int, runtime: Any | None) -> None:
        shape = [size, *session.get_inputs()[0].shape[1:]]
        self._session = session
        self._host = staging(tuple(shape), runtime)
        self._input = _allocate(shape, device)
        self._output = _allocate([size, *session.get_outputs()[0].shape[1:]], device)
        self._binding = session.io_binding()
        self._binding.bind_ortvalue_input(INPUT_NAME, self._input)
        self._binding.bind_ortvalue_output(OUTPUT_NAME, self._output)
        self._options = ort.RunOptions()
        self._options.add_run_config_entry("gpu_graph_id", str(size))

    def run(self, frames: U8) -> U8:
        """A batch below the size leaves older frames in the rest, whose masks nobody gets."""
        if frames.shape[1:] != self._host.shape[1:]:
            raise ValueError(f"frames are {frames.shape}, the model takes {self._host.shape}")
        self._host[: len(frames)] = frames
        self._input.update_inplace(self._host)
        self._session.run_with_iobinding(self._binding, self._options)
        answer: U8 = self._output.numpy()[: len(frames)].copy()
        return answer


def _allocate(shape: list[int], device: Device) -> ort.OrtValue:
    return ort.OrtValue.ortvalue_from_shape_and_type(shape, np.uint8, device.memory, device.index)
