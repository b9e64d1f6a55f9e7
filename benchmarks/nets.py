"""What a net would cost to run, before it is trained: `python -m benchmarks.nets PRESET --vary KEY=A,B ...`.

Each combination is built with random weights, exported and quantised as a trained one would be, and its files take
turns on one thread: FP32 in ONNX Runtime, FP32 and INT8 in OpenVINO. What a convolution costs does not depend on its
weights.
"""

import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer

from service.backends import Backend
from service.backends.onnxruntime import OnnxRuntimeBackend
from service.backends.openvino import OpenVinoBackend
from service.manifest.entries import FileEntry
from service.manifest.package import Package
from training.config import Preset, load_preset, with_overrides
from training.export.draft import draft_manifest
from training.export.onnx_file import write_onnx
from training.fitting.checkpoints import Trained
from training.nets.segmentation import build_net
from training.quantise.int8 import Int8Builder
from training.studies.complexity import Timing, size_of_net, time_in_turns
from training.studies.sweep import parse_axis

_CALIBRATION_FRAMES = 2
WAYS = ("FP32, ONNX Runtime", "FP32, OpenVINO", "INT8, OpenVINO")


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one net: `giga_macs` a frame, and milliseconds a frame of each of `WAYS`."""

    name: str
    giga_macs: float
    timings: tuple[Timing, ...]


def cost(presets: dict[str, Preset], folder: Path, *, rounds: int, threads: int) -> list[Cost]:
    """Of each preset's net, all in turns. Raises PresetError."""
    files = [_files(preset, folder / str(number), threads) for number, preset in enumerate(presets.values())]
    models = [
        (backend, preset.input.spec())
        for preset, opened in zip(presets.values(), files, strict=True)
        for backend in opened
    ]
    timings = time_in_turns(models, rounds)
    return [
        Cost(name, _giga_macs(preset), tuple(timings[len(WAYS) * number : len(WAYS) * (number + 1)]))
        for number, (name, preset) in enumerate(presets.items())
    ]


def vary(preset: Preset, axes: Sequence[str]) -> dict[str, Preset]:
    """Every combination of `key=a,b` by its settings; the preset itself where nothing is varied. Raises PresetError."""
    parsed = [parse_axis(text) for text in axes]
    settings = [[f"{axis.key}={value}" for value in axis.values] for axis in parsed]
    return {" ".join(chosen) or preset.name: with_overrides(preset, list(chosen)) for chosen in product(*settings)}


def _files(preset: Preset, folder: Path, threads: int) -> list[Backend]:
    """One opened file for each of `WAYS`."""
    torch.manual_seed(0)
    net = build_net(preset.net, preset.channels, None).eval()
    package = folder / preset.name / "1"
    package.mkdir(parents=True)
    manifest = draft_manifest(Trained(net, preset, epochs=0, code_version=""), package)
    write_onnx(net, manifest, package / "model.onnx")
    shape = _CALIBRATION_FRAMES, preset.input.height, preset.input.width, 3
    builder = Int8Builder(package / "model.onnx", np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8))
    try:
        builder.write(package / "model.int8.onnx")
    finally:
        builder.close()
    entries = {p: FileEntry(file=f, sha256="0" * 64) for p, f in (("fp32", "model.onnx"), ("int8", "model.int8.onnx"))}
    opened = Package(package, manifest.model_copy(update={"files": entries}))
    return [
        OnnxRuntimeBackend(opened, provider="cpu", precision="fp32", threads=threads),
        OpenVinoBackend(opened, precision="fp32", threads=threads),
        OpenVinoBackend(opened, precision="int8", threads=threads),
    ]


def _giga_macs(preset: Preset) -> float:
    return size_of_net(build_net(preset.net, preset.channels, None).eval(), preset.input.spec()).macs / 1e9


def table(costs: Sequence[Cost]) -> str:
    """Markdown; medians and, in brackets, quartiles."""
    lines = [f"| net | GMACs | {' | '.join(f'{way}, ms' for way in WAYS)} |", "|---" * (2 + len(WAYS)) + "|"]
    for found in costs:
        cells = [f"{t.median:.1f} ({t.low:.1f} to {t.high:.1f})" for t in found.timings]
        lines.append(f"| {found.name} | {found.giga_macs:.2f} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main(
    preset: Annotated[str, typer.Argument(help="A shipped preset, or the path of a YAML file.")],
    vary_: Annotated[list[str] | None, typer.Option("--vary", help="A setting and its values: key=a,b.")] = None,
    rounds: Annotated[int, typer.Option(min=1)] = 30,
    threads: Annotated[int, typer.Option(min=1)] = 1,
) -> None:
    """Measure what nets cost to run."""
    presets = vary(load_preset(preset), vary_ or [])
    with tempfile.TemporaryDirectory(prefix="endomask-nets-") as folder:
        sys.stdout.write(table(cost(presets, Path(folder), rounds=rounds, threads=threads)))


if __name__ == "__main__":
    typer.run(main)
