"""INT8 and FP16 of a net whose answer a person can see: red is the instrument."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
import yaml
from click.testing import Result
from onnx import numpy_helper
from torch import nn
from typer.testing import CliRunner

from service.backends.onnxruntime import OnnxRuntimeBackend
from service.imaging.geometry import U8
from service.manifest.agreement import agreement
from service.manifest.entries import FileEntry, Parity, PrecisionName
from service.manifest.package import Package, sha256_of
from service.manifest.record import Score
from tests.support.squares import squares_preset, write_squares
from training.__main__ import app
from training.config import Preset
from training.errors import ExportError
from training.export.backends import computes_bf16, machine_facts, measurable_backends
from training.export.golden import own_frames
from training.export.measure import SideBySide, golden_agreement, worst_loss
from training.export.package import export
from training.fitting.checkpoints import Trained
from training.nets.segmentation import SegmentationNet
from training.quantise.distance import mask_distance
from training.quantise.fp16 import write_fp16
from training.quantise.int8 import Int8Builder
from training.quantise.layers import blocks, layers, outside
from training.quantise.package import add_precision
from training.quantise.search import BLOCKS, MOST_KEPT, choose_float_layers
from training.quantise.verdict import Rules, judge

ANY_TIME = Rules({"int8": 1e9})
NO_TIME = Rules({"int8": 1e-9, "fp16": 1e-9})


class RedFinder(nn.Sequential):
    """Normalised RGB [N, 3, h, w] -> logits [N, C, h, w] of redness, in four layers."""

    def __init__(self, channels: int) -> None:
        super().__init__(nn.Conv2d(3, 8, 1), nn.ReLU6(), nn.Conv2d(8, 8, 3, padding=1, groups=8), nn.ReLU())
        self.extend([nn.Conv2d(8, 8, 1), nn.ReLU(), nn.Conv2d(8, channels, 1)])
        for layer in (self[0], self[2], self[4], self[6]):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)
        with torch.no_grad():
            self[0].weight[:, :, 0, 0] = torch.linspace(0.5, 1, 8)[:, None] * torch.tensor([2.0, -1.0, -1.0])
            self[2].weight[:, 0, 1, 1] = 1
            self[4].weight[:, :, 0, 0] = torch.eye(8)
            self[6].weight[-1, :, 0, 0] = 0.5
            self[6].bias[-1] = -6


def red_package(root: Path, preset: Preset) -> tuple[Package, Path]:
    """An exported package of a RedFinder, and the data sets that it was scored on."""
    datasets = write_squares(root / "datasets")
    trained = Trained(SegmentationNet(RedFinder(preset.channels)).eval(), preset, epochs=1, code_version="abc")
    return export(trained, datasets, root / "models" / preset.name / "1"), datasets


def three_classes() -> Preset:
    named = (("background", "#000000"), ("shaft", "#ff0000"), ("tip", "#00ff00"))
    content = {**squares_preset().model_dump(), "classes": [{"name": n, "colour": c} for n, c in named], "merge": {}}
    return Preset.model_validate(content)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Package, Path]:
    return red_package(tmp_path_factory.mktemp("made"), squares_preset())


@pytest.fixture
def package(made: tuple[Package, Path], tmp_path: Path) -> Package:
    """A copy that a test may change."""
    folder = tmp_path / "models" / "squares" / "1"
    shutil.copytree(made[0].folder, folder)
    return Package.read(folder)


def _no_progress(title: str, frames: int) -> Callable[[], None]:
    return lambda: None


def _with(package: Package, precision: PrecisionName, write: Callable[[Path], None]) -> Package:
    path = package.folder / f"model.{precision}.onnx"
    write(path)
    entry = FileEntry(file=path.name, sha256=sha256_of(path))
    files = {**package.manifest.files, precision: entry}
    return Package(package.folder, package.manifest.model_copy(update={"files": files}))


def _red_frames(count: int) -> U8:
    """Grey noise with a red square, uint8 [N, 32, 64, 3]."""
    rng = np.random.default_rng(4)
    frames = rng.integers(90, 130, (count, 32, 64, 3), dtype=np.uint8)
    for i, frame in enumerate(frames):
        frame[4 + i : 16 + i, 10:30] = (220, 20, 20)
    return frames


# INT8


@pytest.mark.parametrize("preset", [squares_preset(), three_classes()], ids=["two classes", "three classes"])
def test_int8_has_unsigned_activations_and_signed_weights_per_channel(
    made: tuple[Package, Path], tmp_path: Path, preset: Preset
) -> None:
    package = made[0] if len(preset.classes) == 2 else red_package(tmp_path, preset)[0]
    builder = Int8Builder(package.model_path("fp32"), _red_frames(4))
    small = _with(package, "int8", builder.write)
    model = onnx.load(small.model_path("int8"))
    values = {entry.name: numpy_helper.to_array(entry) for entry in model.graph.initializer}
    activations = [values[node.input[2]].dtype for node in model.graph.node if node.op_type == "QuantizeLinear"]
    assert activations
    assert set(activations) == {np.dtype(np.uint8)}
    weights = [name for name, value in values.items() if value.dtype == np.int8 and value.ndim == 4]
    assert len(weights) == 3  # the head stays in float
    scales = [node for node in model.graph.node if node.op_type == "DequantizeLinear" and node.input[0] in weights]
    assert [values[node.input[1]].shape for node in scales] == [(8,)] * 3
    builder.close()


def test_int8_answers_as_fp32_does_on_masks(package: Package) -> None:
    builder = Int8Builder(package.model_path("fp32"), _red_frames(4))
    small, frames = _with(package, "int8", builder.write), _red_frames(6)
    for name, open_backend in measurable_backends().items():
        expected, found = open_backend(package, "fp32").run(frames), open_backend(small, "int8").run(frames)
        assert agreement(expected, found, 0.5).changed_share < 0.01, name
        assert mask_distance(frames, expected, open_backend(small, "int8"), 0.5) < 0.02, name
        assert (found > 127).mean() > 0.05, name
    assert {p.key: p.value for p in onnx.load(small.model_path("int8")).metadata_props} == {
        p.key: p.value for p in onnx.load(package.model_path("fp32")).metadata_props
    }
    builder.close()


def test_layers_that_are_to_stay_in_float_do(package: Package) -> None:
    builder = Int8Builder(package.model_path("fp32"), _red_frames(4))
    assert len(builder.layers) == 3
    small = _with(package, "int8", lambda path: builder.write(path, builder.layers[:2]))
    model = onnx.load(small.model_path("int8"))
    assert (
        sum(value.data_type == onnx.TensorProto.INT8 and len(value.dims) == 4 for value in model.graph.initializer) == 1
    )
    assert "the head and 2 of 3 other layers in float" in builder.describe(builder.layers[:2])
    builder.close()


def test_normalisation_and_activation_are_outside_the_layers(made: tuple[Package, Path]) -> None:
    model = onnx.load(made[0].model_path("fp32"))
    kinds = {node.name: node.op_type for node in model.graph.node}
    around = [kinds[name] for name in outside(model)]
    assert len(layers(model)) == 4
    assert {"Sub", "Div", "Sigmoid", "Round"} <= set(around)
    assert not {"Conv", "Relu"} & set(around)


@pytest.mark.parametrize(("length", "count", "sizes"), [(10, 3, [3, 4, 3]), (2, 5, [1, 1]), (4, 4, [1, 1, 1, 1])])
def test_blocks_are_neighbours_of_about_equal_number(length: int, count: int, sizes: list[int]) -> None:
    names = [str(i) for i in range(length)]
    found = blocks(names, count)
    assert [len(block) for block in found] == sizes
    assert [name for block in found for name in block] == names


# FP16


@pytest.mark.parametrize("preset", [squares_preset(), three_classes()], ids=["two classes", "three classes"])
def test_fp16_layers_are_half_and_what_surrounds_them_is_not(
    made: tuple[Package, Path], tmp_path: Path, preset: Preset
) -> None:
    package = made[0] if len(preset.classes) == 2 else red_package(tmp_path, preset)[0]
    path = tmp_path / "half.onnx"
    write_fp16(package.model_path("fp32"), path)
    model = onnx.shape_inference.infer_shapes(onnx.load(path))
    kinds = {v.name: v.type.tensor_type.elem_type for v in [*model.graph.value_info, *model.graph.output]}
    by_type = {node.op_type: kinds[node.output[0]] for node in model.graph.node if node.op_type != "Cast"}
    assert by_type["Conv"] == by_type["Relu"] == onnx.TensorProto.FLOAT16
    activation = "Sigmoid" if len(preset.classes) == 2 else "Softmax"
    assert (by_type["Div"], by_type[activation]) == (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT)
    half = Package(
        tmp_path, package.manifest.model_copy(update={"files": {"fp16": FileEntry(file="half.onnx", sha256="0" * 64)}})
    )
    frames = _red_frames(3)
    backend = OnnxRuntimeBackend(half, provider="cpu", precision="fp16", threads=1)
    expected = OnnxRuntimeBackend(package, provider="cpu", precision="fp32", threads=1).run(frames)
    assert agreement(expected, backend.run(frames), 0.5).largest_difference <= 2


# Layers kept in float


class _Net:
    """Layers whose INT8 costs the given distance; keeps what was tried."""

    def __init__(self, costs: dict[str, float]) -> None:
        self.costs = costs
        self.tried: list[list[str]] = []

    def write(self, path: Path, keep: list[str]) -> None:
        self.tried.append(keep)

    def distance(self, path: Path) -> float:
        return sum(cost for name, cost in self.costs.items() if name not in self.tried[-1])


def test_nothing_is_sought_when_the_masks_are_near_enough() -> None:
    net = _Net({"a": 0.001, "b": 0.002})
    choice = choose_float_layers(["a", "b"], net.write, net.distance, target=0.01)
    assert (choice.keep_float, choice.distance, net.tried) == ([], 0.003, [[]])


def test_the_layers_that_cost_most_are_kept_and_no_more_of_them_than_it_takes() -> None:
    net = _Net({"a": 0.001, "b": 0.2, "c": 0.001, "d": 0.1, "e": 0.05})
    choice = choose_float_layers(list("abcde"), net.write, net.distance, target=0.06)
    assert choice.keep_float == ["b", "d"]
    assert choice.distance == pytest.approx(0.052)
    assert choice.distance_of_all_int8 == pytest.approx(0.352)


def test_of_a_block_only_the_layer_that_costs_is_kept() -> None:
    net = _Net({f"layer{i}": 0.2 if i == 17 else 0.0001 for i in range(60)})
    choice = choose_float_layers(list(net.costs), net.write, net.distance, target=0.01)
    assert choice.keep_float == ["layer17"]
    assert len(net.tried) == 1 + BLOCKS + 6


def test_of_a_block_two_layers_are_kept_where_they_are_enough() -> None:
    net = _Net({f"layer{i}": {13: 0.2, 16: 0.1}.get(i, 0.0001) for i in range(60)})
    choice = choose_float_layers(list(net.costs), net.write, net.distance, target=0.01)
    assert choice.keep_float == ["layer13", "layer16"]


def test_a_whole_block_is_kept_where_a_few_of_its_layers_are_not_enough() -> None:
    net = _Net({f"layer{i}": 0.01 if 12 <= i < 18 else 0.0 for i in range(60)})
    choice = choose_float_layers(list(net.costs), net.write, net.distance, target=0.005)
    assert choice.keep_float == [f"layer{i}" for i in range(12, 18)]


def test_a_layer_and_the_next_best_block_are_kept_together_and_none_twice() -> None:
    net = _Net({f"layer{i}": {3: 0.2, 40: 0.1}.get(i, 0.0) for i in range(60)})
    choice = choose_float_layers(list(net.costs), net.write, net.distance, target=0.05)
    assert {"layer3", "layer40"} <= set(choice.keep_float)
    assert len(set(choice.keep_float)) == len(choice.keep_float)
    assert choice.distance == 0


def test_the_search_has_an_end() -> None:
    net = _Net({f"layer{i}": 0.01 + i * 1e-5 for i in range(60)})
    choice = choose_float_layers(list(net.costs), net.write, net.distance, target=0.0)
    assert len(net.tried) <= 1 + BLOCKS + 60 // BLOCKS + 2 * MOST_KEPT
    assert len(choice.keep_float) == 60 * MOST_KEPT // BLOCKS


def test_a_layer_that_does_not_help_is_not_kept() -> None:
    net = _Net({"a": 0.0, "b": 0.0})
    net.distance = lambda path: 0.5  # type: ignore[method-assign]
    assert choose_float_layers(["a", "b"], net.write, net.distance, target=0.1).keep_float == []


# Measuring


class _Fixed:
    """Gives the same planes, after `loops` rounds of work."""

    name, provider, precision, threads, max_batch = "fixed", "cpu", "int8", 1, 1

    def __init__(self, planes: U8, loops: int = 0) -> None:
        self._planes, self._loops = planes, loops

    def run(self, frames: U8) -> U8:
        for _ in range(self._loops):
            np.linalg.norm(np.ones((200, 200)))
        return self._planes


def test_both_run_on_every_frame_and_the_ratio_of_times_and_the_changed_share_are_theirs() -> None:
    zeros, some = np.zeros((1, 1, 4, 5), np.uint8), np.zeros((1, 1, 4, 5), np.uint8)
    some[..., 0, :2] = 255
    ticks: list[int] = []
    pair = SideBySide(_Fixed(some, loops=1), _Fixed(zeros, loops=200), 0.5, lambda: ticks.append(1))
    frame = np.zeros((1, 4, 5, 3), np.uint8)
    assert all((pair.run(frame) == some).all() for _ in range(5))
    assert len(ticks) == 5
    assert pair.relative_time < 0.5
    assert pair.changed_share == pytest.approx(2 / 20)


def test_the_distance_of_masks_is_one_minus_their_dice() -> None:
    expected, found = np.zeros((2, 1, 10, 10), np.uint8), np.zeros((1, 1, 10, 10), np.uint8)
    expected[0, 0, :4] = 255
    found[0, 0, 2:6] = 255
    frames = np.zeros((2, 10, 10, 3), np.uint8)
    assert mask_distance(frames[:1], expected[:1], _Fixed(found), 0.5) == pytest.approx(1 - 2 * 20 / 80)
    assert mask_distance(frames, expected, _Fixed(found), 0.5) == pytest.approx(1 - 2 * 20 / 120)
    assert mask_distance(frames[:1], np.zeros_like(found), _Fixed(np.zeros_like(found)), 0.5) == 0


def _score(group: str, dice: float, n: int = 3) -> Score:
    return Score(dataset="d", group=group, class_name="c", n=n, dice=dice, dice_pooled=0, iou=0, precision=0, recall=0)


def test_a_gain_on_one_set_does_not_hide_a_loss_on_another() -> None:
    fp32 = [_score("a", 0.9), _score("b", 0.8)]
    assert worst_loss([_score("a", 0.99), _score("b", 0.79)], fp32) == pytest.approx(-0.01)


@pytest.mark.parametrize("scores", [[_score("a", 0.9, n=2)], [_score("z", 0.9)], []])
def test_scores_on_other_frames_are_not_compared(scores: list[Score]) -> None:
    with pytest.raises(ExportError, match="prepare them again"):
        worst_loss(scores, [_score("a", 0.9)])


def test_the_machine_is_told_by_its_processor_cores_and_instruction_sets(tmp_path: Path) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("model name\t: Some CPU\nflags\t\t: fpu avx2 avx512_vnni sse\n")
    assert machine_facts(cpuinfo).startswith("Some CPU; ")
    assert "; avx2 avx512_vnni; onnxruntime " in machine_facts(cpuinfo)
    assert "onnxruntime " in machine_facts(tmp_path / "none")


# Judging


def _parity(precision: PrecisionName = "int8", **changes: object) -> Parity:
    known = {"precision": precision, "backend": "onnxruntime-cpu", "batch_sizes": [1], "frames": 3}
    known |= {"largest_difference": 9, "changed_share": 0.001, "held_out_changed_share": 0.001}
    return Parity.model_validate(known | {"dice_difference": -0.001, "relative_time": 0.4} | changes)


@pytest.mark.parametrize(
    ("parities", "shipped"),
    [
        ([_parity()], True),
        ([_parity(relative_time=0.6)], False),
        ([_parity(dice_difference=-0.0051)], False),
        ([_parity(dice_difference=-0.1), _parity(backend="openvino-cpu")], True),
        ([_parity(dice_difference=-0.1), _parity(backend="openvino-cpu", relative_time=0.9)], False),
    ],
)
def test_int8_is_shipped_when_one_backend_both_holds_and_is_twice_as_fast(
    parities: list[Parity], shipped: bool
) -> None:
    verdict = judge("int8", parities, Rules())
    assert verdict.shipped is shipped
    assert len(verdict.reasons) == len(parities)
    assert ("NOT" in " ".join(verdict.reasons)) is (not shipped or len(parities) > 1)


@pytest.mark.parametrize(
    ("changes", "allowed", "shipped", "said"),
    [
        ({}, False, False, "none is here to time it"),
        ({"relative_time": 0.5}, False, False, "none is here to time it"),
        ({}, True, True, "shipped untimed"),
        ({"dice_difference": -0.1}, True, False, "none is here to time it"),
        ({"backend": "onnxruntime-cuda"}, True, False, "NOT fast enough"),
        ({"backend": "onnxruntime-cuda", "relative_time": 0.7}, False, True, "fast enough"),
    ],
)
def test_fp16_needs_a_gpu_to_be_timed_on_or_leave_to_go_without(
    changes: dict[str, object], allowed: bool, shipped: bool, said: str
) -> None:
    verdict = judge("fp16", [_parity("fp16", **{"relative_time": 1.4, **changes})], Rules(allow_unmeasured=allowed))
    assert verdict.shipped is shipped
    assert said in " ".join(verdict.reasons)


# Adding to a package


def test_a_precision_that_holds_and_is_fast_joins_the_package(package: Package, made: tuple[Package, Path]) -> None:
    steps: list[tuple[str, int]] = []

    def progress(title: str, frames: int) -> Callable[[], None]:
        steps.append((title, frames))
        return lambda: None

    verdict = add_precision(package.folder, "int8", squares_preset(), made[1], progress, ANY_TIME)
    changed = Package.read(package.folder)
    changed.verify()
    assert verdict.shipped
    assert changed.manifest.files.keys() == {"fp32", "int8"}
    assert "MinMax" in changed.manifest.files["int8"].made
    known = {(p.precision, p.backend): p for p in changed.manifest.parity}
    assert {key for key in known if key[0] == "int8"} == {("int8", name) for name in measurable_backends()}
    assert steps[1:] == [(f"int8 on {name}", 2) for name in measurable_backends()]
    assert changed.manifest.contract_sha256() == package.manifest.contract_sha256()
    for name, open_backend in measurable_backends().items():
        parity = known["int8", name]
        assert parity.holds
        assert parity.relative_time is not None
        assert parity.machine == machine_facts()
        found = golden_agreement(changed, open_backend(changed, "int8"))
        assert found.changed_share == pytest.approx(parity.changed_share)
        assert found.changed_share <= changed.manifest.golden_limit("int8", name)
    assert "| int8 | openvino-cpu |" in (package.folder / "card.md").read_text()
    assert not list(package.folder.glob(".*"))


def test_a_precision_that_is_not_fast_leaves_the_package_as_it_was(
    package: Package, made: tuple[Package, Path]
) -> None:
    before = {path.name: path.read_bytes() for path in package.folder.iterdir()}
    verdict = add_precision(package.folder, "fp16", squares_preset(), made[1], _no_progress, NO_TIME)
    assert not verdict.shipped
    assert {path.name: path.read_bytes() for path in package.folder.iterdir()} == before


def test_a_precision_that_does_not_hold_any_more_is_taken_out(package: Package, made: tuple[Package, Path]) -> None:
    add_precision(package.folder, "fp16", squares_preset(), made[1], _no_progress, Rules(allow_unmeasured=True))
    assert (package.folder / "model.fp16.onnx").is_file()
    add_precision(package.folder, "fp16", squares_preset(), made[1], _no_progress, NO_TIME)
    changed = Package.read(package.folder)
    changed.verify()
    assert changed == package
    assert not (package.folder / "model.fp16.onnx").exists()


def test_three_classes_are_quantised_too(tmp_path: Path) -> None:
    package, datasets = red_package(tmp_path, three_classes())
    verdict = add_precision(package.folder, "int8", three_classes(), datasets, _no_progress, ANY_TIME)
    assert verdict.shipped
    small = Package.read(package.folder)
    for open_backend in measurable_backends().values():
        assert open_backend(small, "int8").run(own_frames(small.manifest.input.spec(), (1,))).shape == (2, 3, 32, 64)


# The command


def _quantise(package: Package, data: Path, *options: str) -> Result:
    preset = package.folder.parent / "squares.yaml"
    preset.write_text(yaml.safe_dump(squares_preset().model_dump(mode="json")))
    arguments = ["quantise", str(package.folder), "--data", str(data), "--preset", str(preset), *options]
    return CliRunner().invoke(app, arguments)


def test_the_command_tells_loudly_what_it_does_not_ship(package: Package, made: tuple[Package, Path]) -> None:
    result = _quantise(package, made[1], "--precision", "fp16")
    assert result.exit_code == 1
    assert "none is here to time it" in result.output
    assert "NOT SHIPPED: fp16" in result.output
    assert Package.read(package.folder) == package


def test_the_command_ships_fp16_untimed_when_told_to_and_then_leaves_it_alone(
    package: Package, made: tuple[Package, Path]
) -> None:
    result = _quantise(package, made[1], "--precision", "fp16", "--allow-unmeasured")
    assert result.exit_code == 0, result.output
    assert "shipped untimed" in result.output
    shipped = Package.read(package.folder)
    assert "fp16" in shipped.manifest.files
    again = _quantise(shipped, made[1], "--precision", "fp16")
    assert again.exit_code == 0
    assert "fp16: there already" in again.output
    assert Package.read(package.folder) == shipped


def test_a_precision_that_there_is_not_is_refused(package: Package, made: tuple[Package, Path]) -> None:
    result = _quantise(package, made[1], "--precision", "int4,int8")
    assert result.exit_code == 2
    assert "int4" in result.output


def test_bfloat16_is_measured_again_without_a_file_or_refused(package: Package, made: tuple[Package, Path]) -> None:
    without = package.manifest.model_copy(
        update={"parity": [p for p in package.manifest.parity if p.precision != "bf16"]}
    )
    (package.folder / "manifest.json").write_text(without.model_dump_json())
    result = _quantise(package, made[1], "--precision", "bf16")
    after = Package.read(package.folder).manifest
    if not computes_bf16():
        assert isinstance(result.exception, ExportError)
        assert after == without
        return
    assert result.exit_code == 0, result.output
    assert "bf16: Dice" in result.output
    (measured,) = [parity for parity in after.parity if parity.precision == "bf16"]
    assert measured.dice_difference is not None
    assert after.files == without.files
    assert "bf16: there already" in _quantise(package, made[1], "--precision", "bf16").output
