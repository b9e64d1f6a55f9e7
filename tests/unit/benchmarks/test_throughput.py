"""Rounds: who takes part, who drops out, what is kept meanwhile."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from benchmarks.agreement import Reference, dice, read_json, read_png
from benchmarks.bench import QUICK, Bench
from benchmarks.client import Load
from benchmarks.soak import described, growth
from benchmarks.throughput import Case, Contender, Measurement, Rounds, compare, of_load
from benchmarks.video import encoder_settings
from service.imaging.masks import encode_png, encode_rle
from tests.support import benchmark_results

CASE = Case("854x480", "mask", 1)


class Steady:
    """A contender that takes its turns, and fails from a round on."""

    def __init__(self, name: str, turns_taken: list[str], fails_from: int = 99) -> None:
        self.name = name
        self._turns_taken = turns_taken
        self._fails_from = fails_from

    def measure(self, round_number: int) -> Iterator[Measurement]:
        self._turns_taken.append(self.name)
        yield benchmark_results.measured(self.name, 1, 10.0, round_number)
        if round_number >= self._fails_from:
            raise RuntimeError("its port is taken")


def bench(folder: Path, said: list[str]) -> Bench:
    return Bench(QUICK, folder, say=said.append)


def test_contenders_take_turns_in_every_round_and_partial_results_are_kept(tmp_path: Path) -> None:
    turns_taken: list[str] = []
    kept: list[int] = []
    contenders: list[Contender] = [Steady(name, turns_taken) for name in "abc"]
    found = compare(bench(tmp_path, []), contenders, lambda rounds: kept.append(len(rounds.measurements)), rounds=2)
    assert turns_taken == ["a", "b", "c", "c", "b", "a"]
    assert kept == [1, 2, 3, 4, 5, 6]
    assert len(found.loads) == 2


def test_one_that_fails_in_two_rounds_is_reported_and_left_out_and_the_others_go_on(tmp_path: Path) -> None:
    turns_taken: list[str] = []
    said: list[str] = []
    contenders: list[Contender] = [Steady("a", turns_taken, fails_from=0), Steady("b", turns_taken)]
    found = compare(bench(tmp_path, said), contenders, lambda _: None, rounds=3)
    assert turns_taken == ["a", "b", "b", "a", "b"]
    assert found.failures == [{"contender": "a", "round": number, "error": "its port is taken"} for number in (0, 1)]
    assert [row.contender for row in found.measurements] == turns_taken
    assert "  a failed: its port is taken" in said


def test_what_callers_saw_becomes_a_measurement() -> None:
    seen = Load(1, 2.0, [10.0, 12.0], ["decode;dur=1, infer;dur=7", "decode;dur=1, infer;dur=8"], {"200": 2, "503": 3})
    seen.broken, seen.cpu_seconds = 1, 0.1
    found = of_load("endomask", CASE, 0, seen)
    assert found.frames_per_second == 1.0
    assert found.latency_ms["p50"] == 11.0
    assert found.stages_ms == {"decode": 1.0, "infer": 7.5}
    assert found.around_graph_ms == {"client": 3.5, "server": 1.0}
    assert found.failed == {"503": 3, "broken": 1}
    assert found.client_cpu_share == 0.05
    assert found.as_dict()["clients"] == 1


def test_no_good_answer_at_all_is_an_error_that_says_what_came() -> None:
    with pytest.raises(RuntimeError, match=r"no good answer to .*'500': 4"):
        of_load("endomask", CASE, 0, Load(1, 2.0, statuses={"500": 4}))


def test_rounds_describe_themselves() -> None:
    found = Rounds([benchmark_results.measured("floor", 1, 10.0, 0)]).as_dict()
    assert found["measurements"][0]["contender"] == "floor"


def test_dice_is_one_for_the_same_mask_and_falls_with_what_differs() -> None:
    one = np.zeros((4, 4), np.uint8)
    one[:2] = 1
    half = np.zeros_like(one)
    half[0] = 1
    assert dice(one, one) == 1.0
    assert dice(one, half) == pytest.approx(2 * 4 / (8 + 4))
    assert dice(np.zeros_like(one), np.zeros_like(one)) == 1.0
    assert dice(one, np.zeros_like(one)) == 0.0


def test_the_worst_agreement_of_a_contender_is_kept() -> None:
    labels = np.eye(4, dtype=np.uint8)
    reference = Reference({"4x4": labels})
    for answer in (labels, 1 - labels, labels):
        reference.compare("a", "4x4", answer)
    assert reference.dice == {"a": 0.0}


def test_a_mask_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match=r"the mask is \(6, 4\), the frame \(4, 4\)"):
        Reference({"4x4": np.eye(4, dtype=np.uint8)}).compare("a", "4x4", np.zeros((4, 6), np.uint8))


@pytest.mark.parametrize("classes", [2, 3, 5])
def test_the_services_masks_are_read_as_class_ids(classes: int) -> None:
    labels = np.arange(35, dtype=np.uint8).reshape(5, 7) % classes
    palette = [(index, 2 * index, 0) for index in range(classes)]
    assert np.array_equal(read_png(encode_png(labels, palette)), labels)


def test_run_lengths_are_read_as_class_ids() -> None:
    labels = np.arange(35, dtype=np.uint8).reshape(5, 7) % 3
    mask = {"format": "rle", "encoding": "coco", "counts": encode_rle(labels, [1, 2]), "size": list(labels.shape)}
    assert np.array_equal(read_json(json.dumps({"mask": mask}).encode()), labels)


def test_growth_leaves_the_warm_up_out() -> None:
    assert growth([10.0, 60.0, 100.0, 101.0, 99.0, 100.0, 104.0, 106.0]) == 105.0 - 100.5
    assert growth([1.0, 2.0]) == 0.0


def test_a_soak_tells_which_process_grew() -> None:
    found = described([(10.0 * k, {"serve": 100.0 + k, "worker": 50.0}) for k in range(8)] + [(90.0, {"worker": 50.0})])
    assert found["growth_mb_by_process"] == {"worker": 0.0}
    found = described([(10.0 * k, {"serve": 100.0 + k, "worker": 50.0, f"decoder {k}": 1.0}) for k in range(8)])
    assert found["growth_mb_by_process"] == {"serve": 4.0, "worker": 0.0}
    assert found["growth_mb"] == 4.0
    assert found["memory_mb"][-1] == (70.0, 158.0)


def test_ffmpegs_transcode_is_set_as_the_services_encoder() -> None:
    given = encoder_settings((1920, 1080))
    options = dict(zip(given[::2], given[1::2], strict=True))
    assert {"-g", "-preset", "-crf", "-bf"} <= set(options)
    assert options["-g"] == "50", "two seconds"
