"""Which nodes of an exported graph are layers, and which lie before the first and after the last of them."""

from itertools import pairwise

import onnx

LAYER_TYPES = {"Conv", "ConvTranspose", "Gemm", "MatMul"}


def layers(model: onnx.ModelProto) -> list[str]:
    """Names of the nodes that hold weights, in the order in which they run."""
    return [node.name for node in model.graph.node if node.op_type in LAYER_TYPES]


def outside(model: onnx.ModelProto) -> list[str]:
    """Names of the nodes before the first layer (normalisation) and after the last (activation, rounding).

    They cost nothing and decide much: a step of 1/255 in the probabilities is a step in what the service answers.
    """
    nodes = list(model.graph.node)
    places = [i for i, node in enumerate(nodes) if node.op_type in LAYER_TYPES]
    return [node.name for node in [*nodes[: places[0]], *nodes[places[-1] + 1 :]]]


def blocks(names: list[str], count: int) -> list[list[str]]:
    """Neighbouring layers together, in at most `count` blocks whose sizes differ by at most one."""
    count = min(count, len(names))
    edges = [round(i * len(names) / count) for i in range(count + 1)]
    return [names[a:b] for a, b in pairwise(edges)]
