"""What runs a model. One Protocol; every implementation takes and gives uint8."""

from typing import Protocol

from service.imaging.geometry import U8


class Backend(Protocol):
    """A loaded model. `run` may be called from any thread, one call at a time."""

    name: str
    """The runtime, e.g. `onnxruntime`."""
    provider: str
    """Where it runs: `cuda` or `cpu`. What is active, not what was asked for."""
    precision: str
    """`fp32`, `fp16` or `int8`."""
    max_batch: int
    """Most frames that one run should take."""

    def run(self, frames: U8) -> U8:
        """RGB uint8 [N, h, w, 3] -> probabilities uint8 [N, C, h, w], 255 = certain."""
        ...
