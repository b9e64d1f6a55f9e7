"""What runs a model. One Protocol; every implementation takes and gives uint8."""

from typing import Literal, Protocol

from service.imaging.geometry import U8
from service.manifest.entries import PrecisionName

Precision = Literal["fp32", "bf16", "fp16", "int8"]
"""What a model is computed in: `bf16` is the FP32 file in bfloat16, each other one is a file of its own."""


class Backend(Protocol):
    """A loaded model. `run` may be called from any thread; as many calls as there are lanes run beside each other, in
    turns, and further ones wait."""

    name: str
    """The runtime: `onnxruntime` or `openvino`."""
    provider: str
    """Where it runs: `tensorrt`, `cuda` or `cpu`. What is active, not what was asked for."""
    precision: str
    """`fp32`, `bf16`, `fp16` or `int8`."""
    threads: int
    """CPU threads that one run uses; lanes have as many each."""
    max_batch: int
    """Most frames that one run should take."""
    lanes: int
    """GPUs, each with the model on it; on a CPU, runs that have their own threads beside each other."""

    def run(self, frames: U8) -> U8:
        """RGB uint8 [N, h, w, 3] -> probabilities uint8 [N, C, h, w], 255 = certain."""
        ...


def file_precision(precision: Precision) -> PrecisionName:
    """The package's file that a precision is computed from."""
    return "fp32" if precision == "bf16" else precision
