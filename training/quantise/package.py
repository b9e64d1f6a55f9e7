"""Adds precisions to a package in place: file, parity, manifest and card; what does not hold is not written."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from service.imaging.geometry import U8, prepare
from service.manifest.entries import FileEntry, PrecisionName
from service.manifest.package import Package, sha256_of
from service.manifest.schema import Manifest
from training.config import Preset
from training.errors import ExportError
from training.export.backends import Opener, measurable_backends
from training.export.card import write_card
from training.export.measure import held_out_frames, measure, measure_bf16
from training.export.references import training_images
from training.quantise.distance import mask_distance
from training.quantise.fp16 import MADE, write_fp16
from training.quantise.int8 import Int8Builder
from training.quantise.search import Choice, choose_float_layers
from training.quantise.verdict import Rules, Verdict, judge

CALIBRATION_FRAMES = 32
SEARCH_FRAMES = 64
"""Fewer tell blocks apart only by chance: of two data sets, often one alone holds what is sought."""

Progress = Callable[[str, int], Callable[[], None]]
"""A step's name and how many frames it takes -> what to call after each."""


def add_precision(
    folder: Path, precision: PrecisionName, preset: Preset, datasets: Path, progress: Progress, rules: Rules
) -> Verdict:
    """Makes, measures and judges `precision` of the package in `folder`; writes it there only when it is shipped.

    One that was there before and does not hold any more is taken out. Raises PackageError, DatasetError, ExportError.
    """
    package = Package.read(folder)
    package.verify()
    with _staged(package) as work:
        entry = _make(package, work / f"model.{precision}.onnx", precision, preset, datasets, progress, rules)
        files = {**package.manifest.files, precision: entry}
        candidate = Package(work, package.manifest.model_copy(update={"files": files}))
        parities = [
            measure(candidate, precision, opener, preset, datasets, progress(f"{precision} on {name}", frames))
            for frames in [held_out_frames(preset, datasets)]
            for name, opener in measurable_backends().items()
        ]
        verdict = judge(precision, parities, rules)
        if verdict.shipped:
            (work / entry.file).replace(folder / entry.file)
    _write(package, verdict, entry)
    return verdict


def add_bf16(folder: Path, preset: Preset, datasets: Path, progress: Progress) -> str:
    """Writes what bfloat16, which needs no file, costs on held-out frames; returns it as a sentence.

    Raises ExportError where this machine does not compute in bfloat16.
    """
    package = Package.read(folder)
    package.verify()
    tick = progress("bf16 on openvino-cpu", held_out_frames(preset, datasets))
    measured = measure_bf16(package, preset, datasets, tick)
    if not measured:
        raise ExportError("this machine does not compute in bfloat16, so nothing can be measured in it")
    kept = [known for known in package.manifest.parity if known.precision != "bf16"]
    _replace(package, package.manifest.model_copy(update={"parity": [*kept, *measured]}))
    (parity,) = measured
    use = "may use it" if parity.holds else "will not use it"
    return f"Dice {parity.dice_difference:+.4f} at worst, {parity.relative_time} of FP32's time; the service {use}"


def _make(
    package: Package,
    path: Path,
    precision: PrecisionName,
    preset: Preset,
    datasets: Path,
    progress: Progress,
    rules: Rules,
) -> FileEntry:
    source = package.model_path("fp32")
    if precision == "fp16":
        write_fp16(source, path)
        return FileEntry(file=path.name, sha256=sha256_of(path), made=MADE)
    calibration, search = _training_frames(package.manifest, preset, datasets)
    builder = Int8Builder(source, calibration)
    try:
        choice = _choose(package, builder, search, progress, rules.mask_distance)
        builder.write(path, choice.keep_float)
        return FileEntry(file=path.name, sha256=sha256_of(path), made=builder.describe(choice.keep_float))
    finally:
        builder.close()


def _choose(package: Package, builder: Int8Builder, frames: U8, progress: Progress, target: float) -> Choice:
    """Searches on the backend whose masks are nearest to FP32's: it is enough that one holds."""
    backends = {name: opener for name, opener in measurable_backends().items() if name.endswith("-cpu")}
    tick = progress("int8: layers kept in float", 0)
    fp32 = backends["onnxruntime-cpu"](package, "fp32")
    reference = np.concatenate([fp32.run(frame[np.newaxis]) for frame in frames])

    def distance_on(opener: Opener, path: Path) -> float:
        entry = FileEntry(file=path.name, sha256="0" * 64)
        trial = Package(path.parent, package.manifest.model_copy(update={"files": {"fp32": entry, "int8": entry}}))
        return mask_distance(frames, reference, opener(trial, "int8"), package.manifest.threshold)

    def distance(path: Path) -> float:
        tick()
        return min(distance_on(opener, path) for opener in backends.values())

    return choose_float_layers(builder.layers, builder.write, distance, target)


def _training_frames(manifest: Manifest, preset: Preset, datasets: Path) -> tuple[U8, U8]:
    """Frames to calibrate with and others to search with, uint8 [N, h, w, 3], evenly spread over the training data."""
    spec = manifest.input.spec()
    wanted = CALIBRATION_FRAMES + SEARCH_FRAMES
    frames = [prepare(image, spec) for image in training_images(preset, datasets, wanted)]
    searching = set(np.linspace(0, len(frames) - 1, min(SEARCH_FRAMES, max(1, len(frames) // 2))).round().astype(int))
    calibration = [frame for i, frame in enumerate(frames) if i not in searching]
    return np.stack(calibration), np.stack([frames[i] for i in sorted(searching)])


@contextmanager
def _staged(package: Package) -> Iterator[Path]:
    """A folder beside the package's files with what a backend needs of them; gone afterwards."""
    with tempfile.TemporaryDirectory(prefix=".quantise-", dir=package.folder) as name:
        work = Path(name)
        for entry in (package.manifest.files["fp32"], package.manifest.golden):
            shutil.copy2(package.folder / entry.file, work / entry.file)
        yield work


def _write(package: Package, verdict: Verdict, entry: FileEntry) -> None:
    """The manifest last: a server that reads meanwhile finds the old package or the new one."""
    manifest = package.manifest
    files = {name: known for name, known in manifest.files.items() if name != verdict.precision}
    parity = [known for known in manifest.parity if known.precision != verdict.precision]
    if verdict.shipped:
        files[verdict.precision] = entry
        parity += verdict.parities
    changed = Manifest.model_validate({**manifest.model_dump(), "files": files, "parity": parity})
    if changed == manifest:
        return
    _replace(package, changed)
    if not verdict.shipped:
        (package.folder / entry.file).unlink(missing_ok=True)


def _replace(package: Package, changed: Manifest) -> None:
    """In one step: a server that reads meanwhile finds the old manifest or the new one."""
    partial = package.folder / ".manifest.json"
    partial.write_text(changed.model_dump_json(indent=2) + "\n")
    partial.replace(package.folder / "manifest.json")
    write_card(changed, package.folder)
