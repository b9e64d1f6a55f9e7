"""Export of a tiny net: the contract, parity, golden outputs, and what is refused."""

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
import torch

from service.backends.onnxruntime import OnnxRuntimeBackend
from service.errors import PackageError
from service.imaging.geometry import U8, prepare
from service.manifest.agreement import agreement
from service.manifest.package import Package
from service.manifest.record import CrossvalScore
from service.pipeline import FrameOptions, StageTimes, open_frame
from tests.support.made_runs import untrained
from training.config import Preset
from training.datasets.reading import Dataset
from training.datasets.synthetic import render_frame
from training.errors import ExportError
from training.evaluate.scoring import evaluate
from training.export.backends import computes_bf16, machine_facts, measurable_backends
from training.export.crossval_scores import read_crossval
from training.export.golden import GOLDEN_SEEDS, choose, golden_frames, own_frames
from training.export.package import export
from training.export.parity import Tolerance, check_parity
from training.fitting.frames import load
from training.models import open_package
from training.nets.running import Graph, TorchBackend


def _multiclass(preset: Preset) -> Preset:
    named = (("background", "#000000"), ("shaft", "#ff0000"), ("tip", "#00ff00"))
    return Preset.model_validate(
        {**preset.model_dump(), "classes": [{"name": n, "colour": c} for n, c in named], "merge": {}}
    )


def test_a_package_keeps_the_contract_and_its_golden_outputs(exported: tuple[Package, Path]) -> None:
    package, backend = open_package(exported[0].folder, provider="cpu")
    manifest = package.manifest
    frames, expected = package.golden()
    assert expected.shape == (len(frames), 1, 32, 64)
    assert agreement(expected, backend.run(frames), manifest.threshold).largest_difference <= 1
    for n in (1, 3, 5):
        assert backend.run(np.zeros((n, 32, 64, 3), np.uint8)).shape == (n, 1, 32, 64)
    of_fp32 = [parity for parity in manifest.parity if parity.precision == "fp32"]
    assert [parity.backend for parity in of_fp32] == list(measurable_backends())
    for parity in of_fp32:
        assert (parity.batch_sizes, parity.frames) == ([1, 3], 10)
        assert parity.largest_difference <= 1
    assert set(manifest.references) == {"coverage", "confidence", "brightness", "sharpness"}
    properties = {p.key: p.value for p in onnx.load(package.model_path("fp32")).metadata_props}
    assert properties == {"name": "squares", "version": "1", "contract_sha256": manifest.contract_sha256()}
    assert "Not a medical device" in (package.folder / "card.md").read_text()


def test_an_exported_file_holds_no_path_of_the_machine_that_made_it(exported: tuple[Package, Path]) -> None:
    written = exported[0].model_path("fp32").read_bytes()
    assert str(Path(torch.__file__).parent).encode() not in written
    assert b".py" not in written


def test_the_manifest_s_scores_can_be_made_again(exported: tuple[Package, Path], preset: Preset) -> None:
    package, backend = open_package(exported[0].folder, provider="cpu")
    assert evaluate(backend, package.manifest, preset, exported[1]) == package.manifest.metrics
    (score,) = package.manifest.metrics
    assert (score.dataset, score.group, score.class_name, score.n) == ("squares", "g3", "instrument", 2)


def test_bfloat16_is_measured_on_held_out_frames_where_the_machine_computes_in_it(
    exported: tuple[Package, Path],
) -> None:
    measured = [parity for parity in exported[0].manifest.parity if parity.precision == "bf16"]
    assert len(measured) == computes_bf16()
    for parity in measured:
        assert parity.backend == "openvino-cpu"
        assert parity.dice_difference is not None
        assert parity.relative_time is not None
        assert parity.machine == machine_facts()


def test_golden_frames_are_those_that_hold_most_of_every_class() -> None:
    shares = np.array([[0.0, 0.0], [0.5, 0.0], [0.02, 0.01], [0.0, 0.12], [0.2, 0.0]])
    assert choose(shares, 2) == [1, 3]
    assert choose(shares, 3) == [1, 3, 4]
    assert choose(np.array([[1.0], [0.0], [0.1]]), 1) == [2], "a full frame has no edge"
    assert choose(np.zeros((4, 1)), 3) == [0, 1, 2]
    assert choose(shares[:1], 3) == [0]


class _Finds:
    """Marks a third of the one frame given, and nothing elsewhere."""

    name, provider, precision, threads, max_batch, lanes = "finds", "cpu", "fp32", 1, 8, 1

    def __init__(self, frame: U8) -> None:
        self._frame = frame

    def run(self, frames: U8) -> U8:
        planes = np.zeros((len(frames), 1, *frames.shape[1:3]), np.uint8)
        for plane, frame in zip(planes, frames, strict=True):
            plane[0, : len(frame) // 3] = 255 * (frame == self._frame).all()
        return planes


def test_a_package_s_golden_frames_hold_foreground_that_the_first_seeds_lack(preset: Preset) -> None:
    spec = preset.input.spec()
    rare = prepare(render_frame(GOLDEN_SEEDS[9]).image, spec)
    backend = _Finds(rare)
    frames = golden_frames(backend, spec, 0.5)
    assert len(frames) == 4
    assert backend.run(frames).any(axis=(1, 2, 3)).sum() == 1
    assert (own_frames(spec, GOLDEN_SEEDS[:3]) != rare).any(axis=(1, 2, 3)).all()


def test_a_graph_of_three_classes_gives_three_planes_that_sum_to_certainty(preset: Preset) -> None:
    graph = Graph(untrained(_multiclass(preset)).net)
    planes = graph(torch.from_numpy(own_frames(preset.input.spec(), (1,)))).numpy()
    assert planes.shape == (2, 3, 32, 64)
    assert np.abs(planes.astype(int).sum(axis=1) - 255).max() <= 2


def test_the_graph_rounds_probabilities_to_uint8(preset: Preset) -> None:
    net = untrained(preset).net
    frames = own_frames(preset.input.spec(), (1,))
    with torch.inference_mode():
        logits = net(torch.from_numpy(frames).permute(0, 3, 1, 2)).numpy().astype(np.float64)
        quantised = Graph(net)(torch.from_numpy(frames)).numpy()
    assert np.abs(255 / (1 + np.exp(-logits)) - quantised).max() < 0.501


class _Shifted:
    """PyTorch, a few grey steps off: an export gone wrong."""

    name, provider, precision, max_batch = "shifted", "cpu", "fp32", 8

    def __init__(self, inner: TorchBackend, steps: int) -> None:
        self._inner, self._steps = inner, steps

    def run(self, frames: U8) -> U8:
        moved = self._inner.run(frames).astype(np.int16) + self._steps
        return moved.clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize(("steps", "threshold", "said"), [(3, 0.99, "by 3 of 255"), (2, None, "changes the class")])
def test_parity_above_the_tolerance_is_refused(preset: Preset, steps: int, threshold: float | None, said: str) -> None:
    truth = TorchBackend(untrained(preset).net)
    frames = own_frames(preset.input.spec(), (1, 2))
    middle = float(np.median(truth.run(frames))) / 255
    with pytest.raises(ExportError, match=said):
        check_parity(truth, _Shifted(truth, steps), frames, threshold or middle, Tolerance())


def test_a_failed_export_leaves_no_package(datasets: Path, preset: Preset, tmp_path: Path) -> None:
    folder = tmp_path / "models" / "squares" / "1"
    with pytest.raises(ExportError, match="differs from PyTorch by"):
        export(untrained(preset), datasets, folder, Tolerance(difference=-1))
    assert not folder.exists()


@pytest.mark.parametrize("path", ["models/other/1", "models/squares/new", "models/squares/0"])
def test_a_folder_that_the_service_would_refuse_is_refused(
    datasets: Path, preset: Preset, tmp_path: Path, path: str
) -> None:
    with pytest.raises(ExportError, match="must end in squares/<version>"):
        export(untrained(preset), datasets, tmp_path / path)


def test_a_package_is_never_overwritten(datasets: Path, preset: Preset, tmp_path: Path) -> None:
    folder = tmp_path / "models" / "squares" / "1"
    folder.mkdir(parents=True)
    with pytest.raises(ExportError, match="never overwritten"):
        export(untrained(preset), datasets, folder)


def test_a_file_of_another_manifest_is_refused_at_load(exported: tuple[Package, Path]) -> None:
    package, _ = exported
    other = package.manifest.model_copy(update={"threshold": 0.25})
    with pytest.raises(PackageError, match="belongs to another manifest"):
        OnnxRuntimeBackend(Package(package.folder, other), provider="cpu", precision="fp32", threads=1)


def test_the_manifest_says_what_it_was_fine_tuned_from_and_how_it_was_cross_validated(
    datasets: Path, preset: Preset, tmp_path: Path
) -> None:
    card = preset.card.model_copy(update={"what_helped": "Pasting squares: +0.02 Dice."})
    trained = replace(untrained(preset.model_copy(update={"card": card})), started_from="squares_start")
    folds = [
        CrossvalScore(group=g, class_name="instrument", n=n, dice=d, iou=0.5)
        for g, n, d in (("g0", 2, 0.8), ("g1", 6, 0.6))
    ]
    package = export(trained, datasets, tmp_path / "squares" / "1", crossval=folds)
    assert package.manifest.training.started_from == "squares_start"
    assert package.manifest.crossval == folds
    written = (package.folder / "card.md").read_text()
    assert "fine-tuned from `squares_start`" in written
    assert "| **mean** | instrument | 8 | **0.700** | **0.500** |" in written
    assert "Pasting squares" in written


def test_a_cross_validation_s_file_is_read_fold_by_fold(tmp_path: Path) -> None:
    path = tmp_path / "crossval.json"
    folds = [
        {"name": name, "n": 40, "classes": {"tool": {"dice": {"value": dice}, "iou": {"value": 0.8}}}}
        for name, dice in (("OP1", 0.91234), ("OP2", 0.88))
    ]
    path.write_text(json.dumps({"folds": folds}))
    assert [(s.group, s.class_name, s.n, s.dice) for s in read_crossval(path)] == [
        ("OP1", "tool", 40, 0.9123),
        ("OP2", "tool", 40, 0.88),
    ]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "can't be read"),
        ("{", "is no crossval.json"),
        ("{}", "is no crossval.json"),
        ('{"folds": []}', "no trained fold"),
    ],
)
def test_another_file_is_no_cross_validation(tmp_path: Path, content: str | None, said: str) -> None:
    path = tmp_path / "crossval.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ExportError, match=said):
        read_crossval(path)


def test_a_package_with_filters_sees_what_training_saw_and_answers_differently(
    datasets: Path, preset: Preset, tmp_path: Path
) -> None:
    filtered = Preset.model_validate(
        {**preset.model_dump(), "input": {**preset.input.model_dump(), "filters": ["smooth", "equalise"]}}
    )
    plain = open_package(export(untrained(preset), datasets, tmp_path / "a" / "squares" / "1").folder, provider="cpu")
    other = open_package(export(untrained(filtered), datasets, tmp_path / "b" / "squares" / "1").folder, provider="cpu")
    assert other[0].manifest.input.filters == ("smooth", "equalise")
    dataset = Dataset(datasets / "squares")
    samples = dataset.split("test")
    (seen, _), *_ = load(dataset, samples, filtered, filtered.input.spec())
    body = cv2.imencode(".png", dataset.image(samples[0])[..., ::-1])[1].tobytes()
    options = FrameOptions(max_megapixels=1)
    opened = [open_frame(body, "image/png", p.manifest.input.spec(), options, StageTimes()) for p, _ in (plain, other)]
    assert (opened[1].prepared == seen).all()
    assert (opened[0].prepared != seen).any()
    answers = [backend.run(frame.prepared[None]) for (_, backend), frame in zip((plain, other), opened, strict=True)]
    assert (answers[0] != answers[1]).any()
