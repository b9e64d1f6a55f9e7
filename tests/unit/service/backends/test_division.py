"""Cores are divided among several frames where that answers more of them, and in the way that answers most."""

from pathlib import Path
from typing import Any

import pytest

from service.backends.candidates import Candidate
from service.backends.choice import Choice, choose
from service.backends.division import best_division, divisions
from service.backends.openvino import is_installed
from service.errors import InferenceFailed, PackageError
from service.imaging.geometry import U8
from service.manifest.package import Package
from service.settings import Settings
from tests.support.candidates import ScriptedBench, asked, blind

NEEDS_OPENVINO = pytest.mark.skipif(not is_installed(), reason="openvino is not installed")


def candidate(threads: int = 4, provider: str = "cpu") -> Candidate:
    return Candidate(backend="openvino", provider=provider, precision="fp32", threads=threads)


def divided(package: Package, folder: Path, script: ScriptedBench, threads: int = 2, **wishes: Any) -> Choice:
    settings = asked(folder, threads=threads, **{"backend": "openvino", **wishes})
    return choose(package, settings, "cpu", script.bench)


def shapes(choice: Choice) -> list[tuple[int, int, bool, bool]]:
    return [(line.lanes, line.threads, line.chosen, line.chosen_under_load) for line in choice.candidates]


@pytest.mark.parametrize(
    ("cores", "expected"),
    [(1, []), (2, [(2, 1)]), (3, [(3, 1)]), (6, [(6, 1), (3, 2)]), (16, [(16, 1), (8, 2), (4, 4), (2, 8)])],
)
def test_lanes_share_all_cores_and_are_at_least_two(cores: int, expected: list[tuple[int, int]]) -> None:
    assert [(found.lanes, found.threads) for found in divisions(candidate(), cores)] == expected


def test_a_gpu_is_not_divided() -> None:
    assert divisions(candidate(provider="cuda"), 16) == []


@pytest.mark.parametrize(
    ("rates", "best"),
    [
        ([100.0, 150.0], 1),
        ([100.0, 91.0], 1),
        ([100.0, 89.0], 0),
        ([100.0, 150.0, 149.0, 120.0], 2),
        ([100.0, 150.0, 120.0, 149.0], 3),
        ([100.0], 0),
    ],
)
def test_the_fewest_lanes_with_nearly_the_best_rate_are_taken_unless_a_lone_run_answers_more(
    rates: list[float], best: int
) -> None:
    assert best_division(rates) == best


@NEEDS_OPENVINO
def test_lanes_that_answer_more_frames_are_for_those_under_load(tmp_path: Path, both: Package) -> None:
    script = ScriptedBench({"openvino int8 2": 8.0, "openvino int8 1 x2": 5.0})
    choice = divided(both, tmp_path, script)
    assert shapes(choice) == [(1, 2, True, False), (2, 1, False, True)]
    assert (choice.backend.lanes, choice.backend.threads) == (1, 2)
    assert choice.open_under_load is not None
    under_load = choice.open_under_load()
    assert (under_load.lanes, under_load.threads) == (2, 1)
    assert script.opened == ["openvino int8 2", "openvino int8 1 x2", "openvino int8 1 x2"], (
        "lanes are opened when asked for"
    )
    assert [line.frames_per_second for line in choice.candidates] == pytest.approx([125.0, 200.0], rel=0.05)
    assert [line.milliseconds for line in choice.candidates] == [pytest.approx(8.0), None]


@NEEDS_OPENVINO
def test_lanes_that_answer_fewer_are_told_of_and_not_taken(tmp_path: Path, both: Package) -> None:
    script = ScriptedBench({"openvino int8 2": 8.0, "openvino int8 1 x2": 10.0})
    choice = divided(both, tmp_path, script)
    assert shapes(choice) == [(1, 2, True, False), (2, 1, False, False)]
    assert choice.open_under_load is None


@NEEDS_OPENVINO
def test_lanes_with_other_masks_are_refused_like_any_candidate(tmp_path: Path, both: Package) -> None:
    script = ScriptedBench({"openvino int8 2": 8.0, "openvino int8 1 x2": 5.0})
    script.answers["openvino int8 1 x2"] = blind
    choice = divided(both, tmp_path, script)
    assert choice.open_under_load is None
    assert choice.candidates[-1].lanes == 2
    assert str(choice.candidates[-1].refused).startswith("4.88% of the golden pixels change class")


@NEEDS_OPENVINO
def test_all_cores_are_divided_where_a_lone_run_takes_fewer(
    tmp_path: Path, both: Package, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.backends.candidates.available_cores", lambda: 4)
    script = ScriptedBench({"openvino int8 2": 4.0, "openvino int8 1 x4": 3.0, "openvino int8 2 x2": 3.5})
    choice = divided(both, tmp_path, script, threads=0)
    assert choice.backend.threads == 2
    assert {(lanes, threads) for lanes, threads, _, under_load in shapes(choice) if under_load} == {(4, 1)}


@NEEDS_OPENVINO
def test_lanes_that_are_asked_for_are_what_is_opened(tmp_path: Path, both: Package) -> None:
    script = ScriptedBench({"openvino int8 1 x3": 5.0})
    settings = Settings(data_dir=tmp_path / "data", threads=1, precision="int8", backend="openvino")
    choice = choose(both, settings, "cpu", script.bench, lanes=3)
    assert (choice.backend.lanes, choice.backend.threads) == (3, 1)
    assert script.opened == ["openvino int8 1 x3"]
    assert choice.open_under_load is None


@NEEDS_OPENVINO
def test_lanes_that_do_not_open_leave_the_lone_run(tmp_path: Path, both: Package) -> None:
    script = ScriptedBench()
    opened = script.bench.open_one

    def refusing(package: Package, asked: Candidate, opening: Any) -> Any:
        if asked.lanes > 1:
            raise PackageError("no memory for a second one")
        return opened(package, asked, opening)

    bench = type(script.bench)(refusing, script.bench.clock, script.bench.cpu_times, script.bench.load_per_core)
    settings = Settings(data_dir=tmp_path / "data", threads=2, precision="int8", backend="openvino")
    choice = choose(both, settings, "cpu", bench)
    assert choice.open_under_load is None
    assert [line.refused for line in choice.candidates] == [None, "no memory for a second one"]


@NEEDS_OPENVINO
def test_lanes_that_fail_once_all_of_them_work_leave_the_lone_run(tmp_path: Path, both: Package) -> None:
    script = ScriptedBench()
    runs = 0

    def fail_after_the_golden_frames(answer: U8) -> U8:
        nonlocal runs
        runs += 1
        if runs > len(both.golden()[0]):
            raise InferenceFailed("no memory for two at once")
        return answer

    script.answers["openvino int8 1 x2"] = fail_after_the_golden_frames
    choice = divided(both, tmp_path, script)
    assert choice.open_under_load is None
    assert [line.refused for line in choice.candidates] == [None, "no memory for two at once"]
