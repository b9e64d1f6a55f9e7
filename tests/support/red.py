"""A model whose answer a person can check: bright red is a tool (red >= 200, green <= 80, blue <= 80).

`FakeBackend` is that in NumPy; `write_red_package` is the same as a real ONNX package, for servers in processes of
their own.
"""

import hashlib
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper

from service.backends.choice import Choice
from service.imaging.geometry import U8
from service.loading import LoadedModel
from service.manifest.agreement import Agreement
from service.manifest.entries import FileEntry
from service.manifest.package import Package, sha256_of
from service.manifest.schema import INPUT_NAME, OUTPUT_NAME, Manifest

RED = (230, 20, 20)
"""RGB that the model calls a tool."""
PINK = (200, 120, 120)
"""RGB that it calls background."""


class FakeBackend:
    """Keeps the frames that it was given; optionally fails on frames that hold a given colour."""

    name = "fake"
    provider = "cpu"
    precision = "fp32"
    threads = 1
    lanes = 1

    def __init__(self, channels: int = 1, max_batch: int = 1, fails_on: tuple[int, int, int] | None = None) -> None:
        self.channels = channels
        self.max_batch = max_batch
        self.fails_on = fails_on
        self.batch_sizes: list[int] = []

    def run(self, frames: U8) -> U8:
        self.batch_sizes.append(len(frames))
        if self.fails_on is not None and (frames == np.array(self.fails_on, np.uint8)).all(axis=-1).any():
            raise RuntimeError("the device refused this batch")
        return red_probabilities(frames, self.channels)


def red_probabilities(frames: U8, channels: int = 1) -> U8:
    """RGB uint8 [N, h, w, 3] -> uint8 [N, C, h, w]; class 1 is red, further classes are never seen."""
    red = (frames[..., 0] >= 200) & (frames[..., 1] <= 80) & (frames[..., 2] <= 80)
    foreground = np.where(red, 255, 0).astype(np.uint8)[:, None]
    if channels == 1:
        return foreground
    others = np.zeros((len(frames), channels - 2, *frames.shape[1:3]), np.uint8)
    return np.concatenate([255 - foreground, foreground, others], axis=1)


def red_frame(height: int = 120, width: int = 160, box: tuple[int, int, int, int] = (40, 30, 50, 40)) -> U8:
    """A pink frame uint8 [H, W, 3] with a red box x, y, width, height; an empty box leaves it tool-free."""
    frame = np.full((height, width, 3), PINK, np.uint8)
    x, y, box_width, box_height = box
    frame[y : y + box_height, x : x + box_width] = RED
    return frame


def fake_model(package: Package) -> LoadedModel:
    """A red package as it is loaded, on a fake backend."""
    return LoadedModel(package, Choice(FakeBackend(package.manifest.channels)), Agreement(0, 0.0), {})


def write_red_package(
    models_dir: Path, name: str = "red", version: int = 1, size: tuple[int, int] = (64, 96), classes: int = 2
) -> Package:
    """Write `<models_dir>/<name>/<version>/` with model.onnx, golden.npz and manifest.json; size is height, width."""
    folder = models_dir / name / str(version)
    folder.mkdir(parents=True, exist_ok=True)
    channels = 1 if classes == 2 else classes
    golden = folder / "golden.npz"
    frames = np.stack([red_frame(*size, box=(10, 10, 30, 20)), red_frame(*size, box=(0, 0, 0, 0))])
    np.savez_compressed(golden, frames=frames, probabilities=red_probabilities(frames, channels))
    blank = FileEntry(file="model.onnx", sha256="0" * 64)
    manifest = _manifest(name, version, size, classes, blank, FileEntry(file=golden.name, sha256=sha256_of(golden)))
    onnx.save(_red_graph(size, channels, manifest.contract_sha256()), folder / "model.onnx")
    entry = FileEntry(file="model.onnx", sha256=sha256_of(folder / "model.onnx"))
    manifest = manifest.model_copy(update={"files": {"fp32": entry}})
    (folder / "manifest.json").write_text(manifest.model_dump_json(indent=2))
    return Package.read(folder)


def _manifest(
    name: str, version: int, size: tuple[int, int], classes: int, model: FileEntry, golden: FileEntry
) -> Manifest:
    names = ["background", "tool", *[f"unseen{index}" for index in range(2, classes)]]
    return Manifest.model_validate(
        {
            "name": name,
            "version": version,
            "task": "segmentation",
            "classes": [
                {"id": index, "name": text, "colour": f"#{hashlib.sha256(text.encode()).hexdigest()[:6]}"}
                for index, text in enumerate(names)
            ],
            "input": {"height": size[0], "width": size[1], "resize": "stretch"},
            "threshold": 0.5,
            "files": {"fp32": model},
            "golden": golden,
            "parity": [],
            "training": {
                "datasets": ["none"],
                "split": "none",
                "split_unit": "frame",
                "preset": "red",
                "seed": 0,
                "epochs": 0,
                "code_version": "test",
            },
            "metrics": [],
            "licence": {"weights": "Apache-2.0", "data": "none"},
            "intended_use": "Tests: bright red is a tool.",
            "limits": "Anything else.",
        }
    )


def _red_graph(size: tuple[int, int], channels: int, contract_sha256: str) -> onnx.ModelProto:
    height, width = size
    nodes = [
        helper.make_node("Slice", [INPUT_NAME, "zero", "one", "axis"], ["red_plane"]),
        helper.make_node("Slice", [INPUT_NAME, "one", "three", "axis"], ["other_planes"]),
        helper.make_node("Greater", ["red_plane", "red_level"], ["is_red"]),
        helper.make_node("Less", ["other_planes", "other_level"], ["others_low"]),
        helper.make_node("Cast", ["others_low"], ["others_low_float"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMin", ["others_low_float", "axis"], ["others_min"], keepdims=1),
        helper.make_node("Cast", ["is_red"], ["is_red_float"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["is_red_float", "others_min"], ["both"]),
        helper.make_node("Mul", ["both", "full"], ["scaled"]),
        helper.make_node("Transpose", ["scaled"], ["foreground"], perm=[0, 3, 1, 2]),
    ]
    constants = [
        ("zero", TensorProto.INT64, [1], [0]),
        ("one", TensorProto.INT64, [1], [1]),
        ("three", TensorProto.INT64, [1], [3]),
        ("axis", TensorProto.INT64, [1], [3]),
        ("red_level", TensorProto.UINT8, [1], [199]),
        ("other_level", TensorProto.UINT8, [1], [81]),
        ("full", TensorProto.FLOAT, [1], [255.0]),
    ]
    planes = ["foreground"]
    if channels > 1:
        nodes.append(helper.make_node("Sub", ["full", "foreground"], ["background"]))
        nodes.append(helper.make_node("Mul", ["foreground", "nothing"], ["unseen"]))
        constants.append(("nothing", TensorProto.FLOAT, [1], [0.0]))
        planes = ["background", "foreground", *["unseen"] * (channels - 2)]
    nodes.append(helper.make_node("Concat", planes, ["stacked"], axis=1))
    nodes.append(helper.make_node("Cast", ["stacked"], [OUTPUT_NAME], to=TensorProto.UINT8))
    graph = helper.make_graph(
        nodes,
        "red",
        [helper.make_tensor_value_info(INPUT_NAME, TensorProto.UINT8, ["N", height, width, 3])],
        [helper.make_tensor_value_info(OUTPUT_NAME, TensorProto.UINT8, ["N", channels, height, width])],
        [helper.make_tensor(name, kind, shape, values) for name, kind, shape, values in constants],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    helper.set_model_props(model, {"contract_sha256": contract_sha256})
    onnx.checker.check_model(model)
    return model
