"""The exported file: the graph of a net in ONNX, tied to its manifest."""

import warnings
from pathlib import Path

import onnx
import torch

from service.manifest.schema import INPUT_NAME, OUTPUT_NAME, Manifest
from training.errors import ExportError
from training.nets.running import Graph
from training.nets.segmentation import SegmentationNet

OPSET = 18


def write_onnx(net: SegmentationNet, manifest: Manifest, path: Path) -> None:
    """One file, weights inside, N dynamic, tied to its manifest by its metadata. Raises ExportError."""
    height, width = manifest.input.height, manifest.input.width
    example = torch.zeros(2, height, width, 3, dtype=torch.uint8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own deprecations
        program = torch.onnx.export(
            Graph(net).eval(),
            (example,),
            input_names=[INPUT_NAME],
            output_names=[OUTPUT_NAME],
            opset_version=OPSET,
            dynamic_shapes={"frames": {0: torch.export.Dim("N", min=1, max=1024)}},
            verbose=False,
        )
    if program is None:
        raise ExportError("PyTorch's exporter returned no program")
    model = program.model_proto
    drop_traces(model)
    set_metadata(model, manifest)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)


def drop_traces(model: onnx.ModelProto) -> None:
    """Remove the exporter's notes (stack traces, scopes): they hold paths of the machine that exported."""
    graph = model.graph
    for part in [graph, *graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer]:
        part.ClearField("metadata_props")
        part.ClearField("doc_string")


def set_metadata(model: onnx.ModelProto, manifest: Manifest) -> None:
    """Name, version and the checksum of the contract, by which loading knows that file and manifest belong together."""
    del model.metadata_props[:]
    onnx.helper.set_model_props(
        model,
        {
            "name": manifest.name,
            "version": str(manifest.version),
            "contract_sha256": manifest.contract_sha256(),
        },
    )
