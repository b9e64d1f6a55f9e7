"""A remembered choice spares the measuring, and is dropped as soon as anything about it does not hold."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from service.backends.choice import Choice
from service.backends.openvino import is_installed
from service.backends.remembered import remembered_choice
from service.errors import PackageError
from service.manifest.package import Package
from service.settings import Settings
from tests.support.candidates import ScriptedBench, asked

pytestmark = pytest.mark.skipif(not is_installed(), reason="openvino is not installed")

MACHINE = {"model name": "one"}
MEASURED = ["onnxruntime int8 2", "openvino int8 2", "openvino int8 1 x2"]
RECALLED = ["openvino int8 2"]


def load(
    package: Package,
    settings: Settings,
    script: ScriptedBench,
    machine: dict[str, str] | None = None,
    lanes: int | None = None,
) -> Choice:
    script.opened.clear()
    return remembered_choice(package, settings, "cpu", script.bench, machine or MACHINE, lanes)


@pytest.fixture
def script(tmp_path: Path, both: Package) -> ScriptedBench:
    """OpenVINO is the faster one, and that is remembered."""
    script = ScriptedBench({"onnxruntime int8": 9.0, "openvino int8": 4.0})
    load(both, asked(tmp_path), script)
    assert script.opened == MEASURED
    return script


def only_file(folder: Path) -> Path:
    (path,) = (folder / "data" / "choices").iterdir()
    return path


def test_a_choice_is_measured_once(tmp_path: Path, both: Package, script: ScriptedBench) -> None:
    choice = load(both, asked(tmp_path), script)
    assert script.opened == RECALLED
    assert choice.backend.name == "openvino"
    shown = [(line.backend, line.lanes, line.chosen, line.chosen_under_load) for line in choice.candidates]
    assert shown == [("openvino", 1, True, False), ("openvino", 2, False, True), ("onnxruntime", 1, False, False)]


def test_what_runs_under_load_is_opened_when_it_is_asked_for(
    tmp_path: Path, both: Package, script: ScriptedBench
) -> None:
    choice = load(both, asked(tmp_path), script)
    assert script.opened == RECALLED
    assert choice.open_under_load is not None
    assert choice.open_under_load().lanes == 2
    assert script.opened == [*RECALLED, "openvino int8 1 x2"]


def test_what_runs_under_load_is_held_against_the_golden_masks_then(
    tmp_path: Path, both: Package, script: ScriptedBench
) -> None:
    script.answers["openvino int8 1 x2"] = np.zeros_like
    choice = load(both, asked(tmp_path), script)
    assert choice.open_under_load is not None
    with pytest.raises(PackageError, match=r"in each of 2 lanes: 4\.88% of the golden pixels change class"):
        choice.open_under_load()


def test_who_asks_for_lanes_has_a_choice_of_its_own(tmp_path: Path, both: Package, script: ScriptedBench) -> None:
    in_lanes = ["onnxruntime int8 2 x3", "openvino int8 2 x3"]
    assert load(both, asked(tmp_path), script, lanes=3).backend.lanes == 3
    assert script.opened == in_lanes
    assert load(both, asked(tmp_path), script, lanes=3).backend.lanes == 3
    assert script.opened == in_lanes[1:]
    assert load(both, asked(tmp_path), script).backend.lanes == 1


@pytest.mark.parametrize("change", ["manifest", "machine", "settings"])
def test_another_model_machine_or_setting_is_measured_anew(
    tmp_path: Path, both: Package, script: ScriptedBench, change: str
) -> None:
    package, settings, machine = both, asked(tmp_path), MACHINE
    if change == "manifest":
        package = Package(both.folder, both.manifest.model_copy(update={"limits": "Others."}))
    elif change == "machine":
        machine = {"model name": "another"}
    else:
        settings = asked(tmp_path, threads=3)
    load(package, settings, script, machine)
    assert len(script.opened) == 3
    load(both, asked(tmp_path), script)
    assert script.opened == RECALLED, "what was remembered of the first is still there"


def broken(text: str) -> str:
    return text[: len(text) // 2]


def moved(text: str) -> str:
    return json.dumps({**json.loads(text), "key": "0" * 64})


def not_asked_for(text: str) -> str:
    return text.replace('"threads": 2', '"threads": 64')


def refused(text: str) -> str:
    record = json.loads(text)
    for line in record["candidates"]:
        line["refused"] = "other masks"
    return json.dumps(record)


def with_too_many_lanes(text: str) -> str:
    return text.replace('"lanes": 2', '"lanes": 64')


def with_lanes_of_another(text: str) -> str:
    """Frames under load would have other masks than a lone one."""
    record = json.loads(text)
    for line in record["candidates"]:
        line["chosen_under_load"] = line["backend"] == "onnxruntime"
    return json.dumps(record)


def with_two_for_load(text: str) -> str:
    record = json.loads(text)
    for line in record["candidates"]:
        line["chosen_under_load"] = line["backend"] == "openvino"
    return json.dumps(record)


_DAMAGE = [broken, moved, not_asked_for, refused, with_too_many_lanes, with_lanes_of_another, with_two_for_load]


@pytest.mark.parametrize("damage", [*_DAMAGE, lambda _: "", lambda _: "[]"])
def test_a_damaged_or_changed_file_is_measured_anew_and_replaced(
    tmp_path: Path,
    both: Package,
    script: ScriptedBench,
    damage: Callable[[str], str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    path = only_file(tmp_path)
    path.write_text(damage(path.read_text()))
    load(both, asked(tmp_path), script)
    assert script.opened == MEASURED
    assert "red/1: measuring again, since red-1-" in caplog.text
    load(both, asked(tmp_path), script)
    assert script.opened == RECALLED


def test_a_remembered_one_that_gives_other_masks_now_is_dropped(
    tmp_path: Path, both: Package, script: ScriptedBench, caplog: pytest.LogCaptureFixture
) -> None:
    script.answers["openvino int8"] = np.zeros_like
    choice = load(both, asked(tmp_path), script)
    assert choice.backend.name == "onnxruntime"
    assert script.opened == [*RECALLED, *MEASURED[:2], "onnxruntime int8 1 x2"]
    assert "of the golden pixels change class" in caplog.text


def test_a_remembered_one_that_can_not_be_opened_now_is_dropped(
    tmp_path: Path, both: Package, script: ScriptedBench
) -> None:
    script.fails["openvino int8"] = PackageError("no kernel for Resize")
    assert load(both, asked(tmp_path), script).backend.name == "onnxruntime"


def test_a_folder_that_can_not_be_written_costs_the_memory_only(
    tmp_path: Path, both: Package, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "data").write_text("a file where the folder should be")
    script = ScriptedBench({"openvino int8": 4.0})
    assert load(both, asked(tmp_path), script).backend.name == "openvino"
    assert "red/1: can't remember its backend" in caplog.text


@pytest.mark.parametrize(("load_per_core", "opened"), [(0.1, MEASURED), (0.9, RECALLED)])
def test_a_choice_made_on_a_busy_machine_is_measured_again_once_it_is_quiet(
    tmp_path: Path, both: Package, load_per_core: float, opened: list[str]
) -> None:
    script = ScriptedBench({"onnxruntime int8": 9.0, "openvino int8": 4.0})
    script.others_share = 0.5
    load(both, asked(tmp_path), script)
    script.load_per_core = load_per_core
    script.others_share = 0.0
    assert load(both, asked(tmp_path), script).busy_share == pytest.approx(0.0 if opened == MEASURED else 0.5)
    assert script.opened == opened


def test_a_choice_made_on_a_quiet_machine_stays(tmp_path: Path, both: Package, script: ScriptedBench) -> None:
    script.load_per_core = 0.0
    load(both, asked(tmp_path), script)
    assert script.opened == RECALLED
