"""A model package says what it is, and is refused with the reason when it does not hold it."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from service.errors import PackageError
from service.imaging.geometry import InputSpec
from service.manifest.agreement import agreement
from service.manifest.entries import Parity
from service.manifest.package import Package
from service.manifest.schema import GOLDEN_CHANGED_SHARE_LIMIT, Manifest
from tests.support.red import write_red_package

Change = Callable[[dict[str, Any]], None]


@pytest.fixture
def package(tmp_path: Path) -> Package:
    return write_red_package(tmp_path)


def rewrite(package: Package, change: Change) -> None:
    path = package.folder / "manifest.json"
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def setting(*keys: str | int, to: Any) -> Change:
    def change(content: dict[str, Any]) -> None:
        part: Any = content
        for key in keys[:-1]:
            part = part[key]
        part[keys[-1]] = to

    return change


def test_a_sound_package_is_read_and_verified(package: Package) -> None:
    found = Package.read(package.folder)
    found.verify()
    assert found == package
    assert found.label == "red/1"
    assert found.model_path("fp32") == package.folder / "model.onnx"
    assert found.manifest.input.spec() == InputSpec(64, 96, "stretch")


def test_the_palette_holds_a_colour_for_each_class_by_id(package: Package) -> None:
    assert len(package.manifest.palette) == 2
    assert package.manifest.classes[1].model_copy(update={"colour": "#0a10ff"}).rgb == (10, 16, 255)


@pytest.mark.parametrize(("classes", "channels"), [(2, 1), (3, 3), (7, 7)])
def test_two_classes_take_one_plane_and_more_take_one_each(tmp_path: Path, classes: int, channels: int) -> None:
    assert write_red_package(tmp_path, classes=classes).manifest.channels == channels


def test_golden_frames_and_probabilities_are_uint8_of_the_models_shape(package: Package) -> None:
    frames, probabilities = package.golden()
    assert frames.dtype == probabilities.dtype == np.uint8
    assert frames.shape == (2, 64, 96, 3)
    assert probabilities.shape == (2, 1, 64, 96)


def test_a_folder_without_a_manifest_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PackageError, match=r"model package red/3 has no manifest\.json"):
        Package.read(tmp_path / "red" / "3")


@pytest.mark.parametrize(("name", "version"), [("red", "2"), ("blue", "1"), ("red", "01")])
def test_a_package_in_the_wrong_folder_is_refused(package: Package, name: str, version: str) -> None:
    folder = package.folder.parent.parent / name / version
    folder.parent.mkdir(exist_ok=True)
    package.folder.rename(folder)
    with pytest.raises(PackageError, match=f"model package {name}/{version} says that it is red/1"):
        Package.read(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda content: content.pop("threshold"), "threshold: Field required"),
        (setting("threshold", to=1.5), "threshold: Input should be less than or equal to 1"),
        (setting("version", to=0), "version: Input should be greater than or equal to 1"),
        (setting("name", to="../red"), "name: String should match pattern"),
        (setting("task", to="detection"), "task: Input should be 'segmentation'"),
        (setting("input", "resize", to="crop"), "input.resize: Input should be 'stretch' or 'letterbox'"),
        (setting("input", "filters", to=["sharpen"]), "input.filters.0: Input should be 'equalise' or 'smooth'"),
        (setting("input", "height", to=8), "input.height: Input should be greater than or equal to 16"),
        (setting("classes", 1, "colour", to="red"), "classes.1.colour: String should match pattern"),
        (setting("classes", 1, "id", to=2), "class ids must be 0, 1, 2"),
        (lambda content: content["classes"].pop(), "classes: List should have at least 2 items"),
        (setting("files", to={}), "files must hold an fp32 model"),
        (setting("files", "fp64", to={"file": "a", "sha256": "0" * 64}), "files.fp64"),
        (setting("files", "fp32", "file", to="../../etc/passwd"), "files.fp32.file: String should match pattern"),
        (setting("golden", "sha256", to="abc"), "golden.sha256: String should match pattern"),
        (setting("references", to={"coverage": {"edges": [0, 1], "shares": [0.5, 0.5]}}), "2 edges need 1 shares"),
        (setting("surprise", to=1), "surprise: Extra inputs are not permitted"),
        (setting("limits", to=""), "limits: String should have at least 1 character"),
    ],
)
def test_a_manifest_that_does_not_hold_is_refused_with_the_field(
    package: Package, change: Change, message: str
) -> None:
    rewrite(package, change)
    with pytest.raises(PackageError, match=r"model package red/1: manifest\.json does not hold: ") as refusal:
        Package.read(package.folder)
    assert message in str(refusal.value)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe"])
def test_a_manifest_that_is_no_json_object_is_refused(package: Package, content: bytes) -> None:
    (package.folder / "manifest.json").write_bytes(content)
    with pytest.raises(PackageError, match=r"manifest\.json does not hold: manifest: "):
        Package.read(package.folder)


@pytest.mark.parametrize("name", ["model.onnx", "golden.npz"])
def test_a_changed_file_is_refused_with_both_checksums(package: Package, name: str) -> None:
    (package.folder / name).write_bytes((package.folder / name).read_bytes() + b"x")
    with pytest.raises(
        PackageError, match=rf"red/1: {name} has checksum \w{{12}}\.\.\., the manifest says \w{{12}}\.\.\."
    ):
        package.verify()


@pytest.mark.parametrize("name", ["model.onnx", "golden.npz"])
def test_a_missing_file_is_refused(package: Package, name: str) -> None:
    (package.folder / name).unlink()
    with pytest.raises(PackageError, match=f"red/1: {name} is missing"):
        package.verify()


@pytest.mark.parametrize(
    "change",
    [
        setting("name", to="blue"),
        setting("version", to=2),
        setting("threshold", to=0.4),
        setting("input", "resize", to="letterbox"),
        setting("input", "filters", to=["smooth"]),
        setting("classes", 1, "colour", to="#123456"),
        setting("classes", 1, "name", to="polyp"),
    ],
)
def test_whatever_a_caller_relies_on_changes_the_contracts_checksum(package: Package, change: Change) -> None:
    content = package.manifest.model_dump(mode="json")
    assert Manifest.model_validate(content).contract_sha256() == package.manifest.contract_sha256()
    change(content)
    assert Manifest.model_validate(content).contract_sha256() != package.manifest.contract_sha256()


def test_a_manifest_from_before_filters_keeps_its_contracts_checksum(package: Package) -> None:
    content = package.manifest.model_dump(mode="json")
    del content["input"]["filters"]
    rewrite(package, lambda written: written["input"].pop("filters"))
    contract = {key: content[key] for key in ("name", "version", "task", "classes", "input", "threshold")}
    written = json.dumps(contract, sort_keys=True, separators=(",", ":")).encode()
    assert Package.read(package.folder).manifest.contract_sha256() == hashlib.sha256(written).hexdigest()


def test_the_order_of_filters_is_part_of_the_contract(package: Package) -> None:
    content = package.manifest.model_dump(mode="json")
    content["input"]["filters"] = ["smooth", "equalise"]
    first = Manifest.model_validate(content)
    content["input"]["filters"] = ["equalise", "smooth"]
    assert first.input.spec() == InputSpec(64, 96, "stretch", ("smooth", "equalise"))
    assert first.contract_sha256() != Manifest.model_validate(content).contract_sha256()


def test_scores_and_limits_can_be_edited_without_a_new_model_file(package: Package) -> None:
    content = package.manifest.model_dump(mode="json")
    content["limits"] = "Not for dark frames."
    assert Manifest.model_validate(content).contract_sha256() == package.manifest.contract_sha256()


def test_agreement_counts_the_largest_step_and_the_pixels_that_change_class() -> None:
    expected = np.full((2, 1, 4, 5), 120, np.uint8)
    actual = expected.copy()
    assert agreement(expected, actual, 0.5).largest_difference == 0
    actual[0, 0, 0, :4] = 130  # four of forty pixels cross 127.5
    actual[1, 0, 0, 0] = 20  # a large step that changes nothing
    found = agreement(expected, actual, 0.5)
    assert found.largest_difference == 100
    assert found.changed_share == pytest.approx(4 / 40)


def _parity(**changes: Any) -> dict[str, Any]:
    known = {"precision": "int8", "backend": "openvino-cpu", "batch_sizes": [1], "frames": 3, "largest_difference": 40}
    return {**known, "changed_share": 0.01, "dice_difference": -0.004, **changes}


@pytest.mark.parametrize(
    ("parity", "limit"),
    [
        (_parity(), 0.02),
        (_parity(changed_share=0.0004), GOLDEN_CHANGED_SHARE_LIMIT),
        (_parity(dice_difference=-0.006), GOLDEN_CHANGED_SHARE_LIMIT),
        (_parity(dice_difference=None), GOLDEN_CHANGED_SHARE_LIMIT),
        (_parity(backend="onnxruntime-cpu"), GOLDEN_CHANGED_SHARE_LIMIT),
        (_parity(precision="fp16"), GOLDEN_CHANGED_SHARE_LIMIT),
    ],
)
def test_only_a_pair_that_was_measured_to_hold_may_change_more_golden_pixels(
    package: Package, parity: dict[str, Any], limit: float
) -> None:
    content = {**package.manifest.model_dump(mode="json"), "parity": [parity]}
    assert Manifest.model_validate(content).golden_limit("int8", "openvino-cpu") == pytest.approx(limit)


def test_fp32_is_held_to_the_strict_limit_whatever_its_parity_says(package: Package) -> None:
    parity = _parity(precision="fp32", changed_share=0.3, dice_difference=0)
    manifest = Manifest.model_validate({**package.manifest.model_dump(mode="json"), "parity": [parity]})
    assert manifest.golden_limit("fp32", "openvino-cpu") == GOLDEN_CHANGED_SHARE_LIMIT


def test_a_gain_of_dice_holds_and_a_loss_above_the_limit_does_not() -> None:
    assert Parity.model_validate(_parity(dice_difference=0.02)).holds
    assert Parity.model_validate(_parity(dice_difference=-0.005)).holds
    assert not Parity.model_validate(_parity(dice_difference=-0.0051)).holds
    assert Parity.model_validate(_parity(precision="fp32", dice_difference=None)).holds


def test_a_manifest_with_all_that_a_reader_wants_is_read(package: Package) -> None:
    content = package.manifest.model_dump(mode="json")
    content["crossval"] = [{"group": "OP1", "class_name": "tool", "n": 40, "dice": 0.91, "iou": 0.85}]
    content["training"]["started_from"] = "instruments_start"
    content["files"]["fp32"]["made"] = "by hand"
    content["what_helped"] = "Pasting."
    manifest = Manifest.model_validate(content)
    assert (manifest.crossval[0].dice, manifest.training.started_from) == (0.91, "instruments_start")
    assert manifest.contract_sha256() == package.manifest.contract_sha256()
