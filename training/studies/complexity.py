"""How large and how slow a model is: parameters, multiply-accumulates, bytes, milliseconds a frame."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np
import onnx
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from service.backends import Backend
from service.imaging.geometry import InputSpec

_WARM_UPS = 2


@dataclass(frozen=True)
class Size:
    parameters: int
    macs: int
    """Multiply-accumulates of one frame, in convolutions and matrix products; all else counts for nothing."""
    file_bytes: int
    """Of the weights in the precision that they are run in, without the optimiser's state."""


@dataclass(frozen=True)
class Timing:
    """Milliseconds of one run of one frame: median and quartiles."""

    median: float
    low: float
    high: float


def size_of_net(net: nn.Module, spec: InputSpec) -> Size:
    """Counted by PyTorch's FlopCounterMode, whose FLOPs are two for each multiply-accumulate."""
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        net(torch.zeros(1, 3, spec.height, spec.width, dtype=torch.uint8))
    stored = sum(tensor.numel() * tensor.element_size() for tensor in net.state_dict().values())
    return Size(sum(p.numel() for p in net.parameters()), counter.get_total_flops() // 2, stored)


def size_of_onnx(path: Path) -> Size:
    """Of an exported file, where batch norms are folded into the convolutions: a little fewer parameters."""
    model = onnx.shape_inference.infer_shapes(onnx.load(path))
    shapes = {entry.name: _shape(entry) for entry in [*model.graph.input, *model.graph.value_info, *model.graph.output]}
    shapes |= {tensor.name: list(tensor.dims) for tensor in model.graph.initializer}
    macs = sum(_MACS[node.op_type](node, shapes) for node in model.graph.node if node.op_type in _MACS)
    weights = [
        tensor for tensor in model.graph.initializer if tensor.data_type in _WEIGHT_TYPES and prod(tensor.dims) > 1
    ]
    return Size(sum(prod(tensor.dims) for tensor in weights), macs, path.stat().st_size)


def time_in_turns(models: Sequence[tuple[Backend, InputSpec]], rounds: int) -> list[Timing]:
    """Each model runs once a round, so that what else the machine does slows all alike.

    The order turns from round to round; one frame of noise a run; decoding and resizing are not in it.
    """
    rng = np.random.default_rng(0)
    frames = [rng.integers(0, 256, (1, spec.height, spec.width, 3), dtype=np.uint8) for _, spec in models]
    taken: list[list[float]] = [[] for _ in models]
    for turn in range(-_WARM_UPS, rounds):
        for step in range(len(models)):
            index = (turn + step) % len(models)
            started = time.perf_counter()
            models[index][0].run(frames[index])
            if turn >= 0:
                taken[index].append(1000 * (time.perf_counter() - started))
    quartiles = [np.percentile(values, [50, 25, 75]) for values in taken]
    return [Timing(*(round(float(value), 2) for value in row)) for row in quartiles]


def _shape(entry: onnx.ValueInfoProto) -> list[int]:
    """A dimension without a number is the batch, of which one frame is counted."""
    return [dimension.dim_value or 1 for dimension in entry.type.tensor_type.shape.dim]


def _conv_macs(node: onnx.NodeProto, shapes: dict[str, list[int]]) -> int:
    """Each output value sums over the kernel: [Co, Ci / groups, kh, kw] without Co."""
    return prod(shapes[node.output[0]]) * prod(shapes[node.input[1]][1:])


def _transposed_macs(node: onnx.NodeProto, shapes: dict[str, list[int]]) -> int:
    """Each input value is spread over the kernel: [Ci, Co / groups, kh, kw] without Ci."""
    return prod(shapes[node.input[0]]) * prod(shapes[node.input[1]][1:])


def _product_macs(node: onnx.NodeProto, shapes: dict[str, list[int]]) -> int:
    """[.., m, k] x [.., k, n]."""
    return prod(shapes[node.output[0]]) * shapes[node.input[0]][-1]


_MACS: dict[str, Callable[[onnx.NodeProto, dict[str, list[int]]], int]] = {
    "Conv": _conv_macs,
    "ConvTranspose": _transposed_macs,
    "MatMul": _product_macs,
    "Gemm": _product_macs,
}
_WEIGHT_TYPES = (
    onnx.TensorProto.FLOAT,
    onnx.TensorProto.FLOAT16,
    onnx.TensorProto.INT8,
    onnx.TensorProto.UINT8,
)
