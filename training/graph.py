"""The exported graph: uint8 frames in, uint8 probabilities out, everything between inside."""

import warnings
from pathlib import Path
from typing import Literal

import onnx
import torch
from torch import Tensor, nn

from service.imaging.geometry import U8
from service.manifest import INPUT_NAME, OUTPUT_NAME, Manifest
from training.errors import ExportError, TrainingError
from training.nets import SegmentationNet

OPSET = 18

Device = Literal["auto", "cpu", "cuda"]


class Graph(nn.Module):
    """RGB uint8 [N, h, w, 3] -> probabilities uint8 [N, C, h, w], 255 = certain."""

    def __init__(self, net: SegmentationNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, frames: Tensor) -> Tensor:
        logits = self.net(frames.permute(0, 3, 1, 2))
        probabilities = logits.sigmoid() if logits.shape[1] == 1 else logits.softmax(dim=1)
        quantised: Tensor = (probabilities * 255).round().to(torch.uint8)
        return quantised


class TorchBackend:
    """PyTorch in float32 behind the service's Backend protocol: what an exported file is compared with."""

    name = "pytorch"
    precision = "fp32"
    max_batch = 8

    def __init__(self, net: SegmentationNet, device: Literal["cpu", "cuda"] = "cpu") -> None:
        self.provider: str = device
        self.threads = torch.get_num_threads()
        self._graph = Graph(net).eval().to(device)

    def run(self, frames: U8) -> U8:
        """RGB uint8 [N, h, w, 3] -> probabilities uint8 [N, C, h, w]."""
        with torch.inference_mode():
            probabilities: U8 = self._graph(torch.from_numpy(frames).to(self.provider)).cpu().numpy()
        return probabilities


def choose_device(asked: Device) -> Literal["cpu", "cuda"]:
    """`auto` is the GPU where PyTorch finds one. Raises TrainingError where one was asked for and is not there."""
    if asked == "cuda" and not torch.cuda.is_available():
        raise TrainingError("device cuda was asked for, and PyTorch finds no GPU")
    return "cuda" if asked != "cpu" and torch.cuda.is_available() else "cpu"


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
