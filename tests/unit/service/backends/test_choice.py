"""The fastest candidate that gives the golden masks serves; the others are told of."""

import logging
from pathlib import Path

import pytest

from service.backends import choice as choosing
from service.backends.choice import Choice
from service.backends.openvino import is_installed, native_precisions
from service.backends.trial import HOPELESS_ROUNDS, ROUNDS, Bench
from service.errors import InferenceFailed, PackageError, ProviderUnavailable
from service.manifest.package import Package
from service.settings import Settings
from tests.support.candidates import ScriptedBench, asked, blind

pytestmark = pytest.mark.skipif(not is_installed(), reason="openvino is not installed")


def choose(package: Package, settings: Settings, provider: str, bench: Bench) -> Choice:
    """In one lane; test_division.py has the others."""
    return choosing.choose(package, settings, provider, bench, lanes=1)


def shown(choice: Choice) -> list[tuple[str, bool, bool]]:
    return [(f"{line.backend} {line.precision}", line.chosen, line.refused is not None) for line in choice.candidates]


def test_the_fastest_one_that_agrees_serves(tmp_path: Path, both: Package) -> None:
    script = ScriptedBench({"onnxruntime int8": 9.0, "openvino int8": 4.0})
    choice = choose(both, asked(tmp_path), "cpu", script.bench)
    assert (choice.backend.name, choice.backend.precision, choice.backend.threads) == ("openvino", "int8", 2)
    assert shown(choice) == [("openvino int8", True, False), ("onnxruntime int8", False, False)]
    assert [line.milliseconds for line in choice.candidates] == [pytest.approx(4.0), pytest.approx(9.0)]


def test_a_faster_one_with_other_masks_is_refused_and_told_of(
    tmp_path: Path, both: Package, caplog: pytest.LogCaptureFixture
) -> None:
    script = ScriptedBench({"openvino int8": 4.0})
    script.answers["openvino int8"] = blind
    choice = choose(both, asked(tmp_path), "cpu", script.bench)
    assert shown(choice) == [("onnxruntime int8", True, False), ("openvino int8", False, True)]
    refused = choice.candidates[-1]
    assert refused.refused == "4.88% of the golden pixels change class; the limit is 0.20%"
    assert (refused.milliseconds, refused.dice) == (None, 0.0)
    assert refused.changed_share == pytest.approx(600 / (2 * 64 * 96))
    (warning,) = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert warning.startswith("red/1 on openvino cpu int8 with 2 threads: refused: 4.88%")


def test_one_that_can_not_be_opened_is_refused_with_its_reason(tmp_path: Path, both: Package) -> None:
    script = ScriptedBench()
    script.fails["openvino int8"] = PackageError("no kernel for Resize")
    choice = choose(both, asked(tmp_path), "cpu", script.bench)
    assert choice.backend.name == "onnxruntime"
    assert choice.candidates[-1].refused == "no kernel for Resize"


def test_when_none_agrees_the_load_stops_with_every_reason(tmp_path: Path, both: Package) -> None:
    script = ScriptedBench()
    script.answers["openvino int8"] = blind
    script.fails["onnxruntime int8"] = PackageError("no kernel for Resize")
    with pytest.raises(PackageError, match=r"red/1 runs on nothing here: onnxruntime cpu int8 .*: no kernel.*4\.88%"):
        choose(both, asked(tmp_path), "cpu", script.bench)


def test_a_single_one_that_fails_stops_the_load_with_its_own_error(tmp_path: Path, both: Package) -> None:
    script = ScriptedBench()
    script.fails["onnxruntime int8"] = ProviderUnavailable("no such provider")
    with pytest.raises(ProviderUnavailable, match=r"^no such provider$"):
        choose(both, asked(tmp_path, backend="onnxruntime"), "cpu", script.bench)


@pytest.mark.parametrize(("provider", "stops"), [("cuda", ProviderUnavailable), ("cpu", PackageError)])
def test_a_gpu_that_fails_on_the_golden_frames_can_not_be_used(
    tmp_path: Path, both: Package, provider: str, stops: type[Exception]
) -> None:
    script = ScriptedBench()
    script.fails["onnxruntime int8"] = InferenceFailed("out of memory")
    with pytest.raises(stops, match=rf"red/1 runs on nothing here: onnxruntime {provider} int8.*: out of memory"):
        choose(both, asked(tmp_path, backend="onnxruntime"), provider, script.bench)


def test_auto_measures_every_precision_that_there_is(tmp_path: Path, both: Package) -> None:
    script = ScriptedBench()
    choice = choose(both, asked(tmp_path, precision="auto"), "cpu", script.bench)
    expected = {"onnxruntime fp32", "onnxruntime int8", "openvino fp32", "openvino int8"}
    expected |= {"openvino bf16"} & {f"openvino {precision}" for precision in native_precisions()}
    assert {name for name, _, _ in shown(choice)} == expected


@pytest.mark.parametrize(("alone", "threads"), [(8.0, 1), (9.5, 2)])
def test_fewer_threads_are_taken_only_where_they_are_clearly_faster(
    tmp_path: Path, both: Package, monkeypatch: pytest.MonkeyPatch, alone: float, threads: int
) -> None:
    monkeypatch.setattr("service.backends.candidates.available_cores", lambda: 2)
    script = ScriptedBench({"openvino int8 2": 10.0, "openvino int8 1": alone})
    choice = choose(both, asked(tmp_path, backend="openvino", threads=0), "cpu", script.bench)
    assert choice.backend.threads == threads
    assert sorted(line.threads for line in choice.candidates) == [1, 2]
    assert [line.threads for line in choice.candidates if line.chosen] == [threads]


def test_threads_named_are_not_replaced(tmp_path: Path, both: Package) -> None:
    script = ScriptedBench({"openvino int8 2": 10.0, "openvino int8 1": 1.0})
    choice = choose(both, asked(tmp_path, backend="openvino", threads=2), "cpu", script.bench)
    assert choice.backend.threads == 2
    assert script.opened == ["openvino int8 2"]


def test_a_slow_model_is_measured_in_fewer_rounds(tmp_path: Path, both: Package) -> None:
    script = ScriptedBench({"onnxruntime int8": 3000.0})
    choose(both, asked(tmp_path, backend="onnxruntime"), "cpu", script.bench)
    golden_frames, one_round = 2, 2
    assert script.now == pytest.approx(3.0 * (golden_frames + one_round))


def test_a_hopeless_one_gets_two_turns_and_keeps_its_time(tmp_path: Path, both: Package) -> None:
    script = ScriptedBench({"onnxruntime int8": 9.0, "openvino int8": 4.0})
    choice = choose(both, asked(tmp_path), "cpu", script.bench)
    golden_frames, runs_a_turn = 2, 2
    slow_runs = golden_frames + runs_a_turn * HOPELESS_ROUNDS
    fast_runs = golden_frames + runs_a_turn * ROUNDS
    assert script.now == pytest.approx((9.0 * slow_runs + 4.0 * fast_runs) / 1000)
    assert choice.candidates[-1].milliseconds == pytest.approx(9.0)


def test_a_slightly_slower_one_gets_every_turn(tmp_path: Path, both: Package) -> None:
    script = ScriptedBench({"onnxruntime int8": 7.0, "openvino int8": 4.0})
    choose(both, asked(tmp_path), "cpu", script.bench)
    assert script.now == pytest.approx((7.0 + 4.0) * (2 + 2 * ROUNDS) / 1000)


def test_a_machine_that_others_used_meanwhile_is_told_of(
    tmp_path: Path, both: Package, caplog: pytest.LogCaptureFixture
) -> None:
    script = ScriptedBench()
    script.others_share = 0.5
    assert choose(both, asked(tmp_path), "cpu", script.bench).busy_share == pytest.approx(0.5)
    assert "red/1: other processes used 50% of the processor while it was measured" in caplog.text
