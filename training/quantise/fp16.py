"""FP16: an ONNX file whose layers compute in half precision. Meant for GPUs; most CPUs only convert back and forth."""

import warnings
from pathlib import Path

import onnx
from onnxruntime.transformers.float16 import convert_float_to_float16
from onnxruntime.transformers.onnx_model import OnnxModel

from training.export.onnx_file import drop_traces
from training.quantise.layers import outside

MADE = "half precision; normalisation and activation in float32"


def write_fp16(source: Path, path: Path) -> None:
    """Input and output stay uint8; what lies before the first and after the last layer stays in float32."""
    model = onnx.load(source)
    properties = {entry.key: entry.value for entry in model.metadata_props}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tiny weights that become zero
        half = convert_float_to_float16(model, node_block_list=outside(model))
    OnnxModel.graph_topological_sort(half.graph)  # the converter puts its casts last
    del half.graph.value_info[:]  # notes of types that it leaves behind, some of them wrong; the check infers them anew
    drop_traces(half)
    del half.metadata_props[:]
    onnx.helper.set_model_props(half, properties)
    onnx.checker.check_model(half, full_check=True)
    onnx.save(half, path)
