"""From measurements to budgets, tables, files and the figure."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from benchmarks import machine, video
from benchmarks.budgets import best_per_round, judge, per_round
from benchmarks.figure import draw
from benchmarks.frames import SERVED
from benchmarks.results import Results, newest, read
from tests.support import benchmark_results


def verdicts(parts: dict[str, Any], cores: int = 2) -> dict[str, tuple[float, bool | None]]:
    return {entry.what: (entry.measured, entry.holds) for entry in judge(parts, cores)}


def video_part() -> dict[str, Any]:
    clips = [{"clip": "1920x1080", "seconds": 20.0, "frames": 500, "megabits_per_second": 2.5}]
    runs = benchmark_results.runs()
    return {"clips": clips, "load_before_rounds": [], "runs": runs, "summary": video.summarise(runs)}


def test_ratios_are_taken_in_the_same_round_against_the_best_of_the_others() -> None:
    found = verdicts({"frames": benchmark_results.frames()})
    assert found["16 clients against one"] == (round(140 / 95, 3), True)
    assert found["16 clients against in-process"] == (round(140 / 150, 3), True)
    assert found["16 clients against the best peer"] == (2.5, True)
    assert found["the graph against FP32 in ONNX Runtime"] == (round(20 / 7, 3), True)


def test_what_is_around_the_graph_is_judged_by_the_callers_clock() -> None:
    assert verdicts({"frames": benchmark_results.frames()})["all but the graph's run, one client"] == (3.3, False)


def test_a_mask_that_differs_too_much_misses_its_budget() -> None:
    found = benchmark_results.frames() | {"dice_with_fp32": {SERVED: 0.99}}
    assert verdicts({"frames": found})["masks against FP32's, example frame: 1 - Dice"] == (0.01, False)


def test_a_round_that_one_side_missed_is_not_compared_with_another() -> None:
    found = benchmark_results.frames()
    found["measurements"] = [
        row for row in found["measurements"] if (row["round"], row["contender"]) not in {(0, "litserve"), (0, "triton")}
    ]
    assert verdicts({"frames": found})["16 clients against the best peer"] == (2.5, True)


def test_a_fast_peer_that_missed_rounds_counts_all_the_same() -> None:
    found = benchmark_results.frames()
    found["measurements"] += [benchmark_results.measured("mosec", 16, 140.0, 0).as_dict()]
    assert verdicts({"frames": found})["16 clients against the best peer"] == (1.0, False)


def test_a_peers_best_layout_counts_in_each_round() -> None:
    found = benchmark_results.frames()
    better = replace(benchmark_results.measured("triton", 16, 70.0, 0), layout="1 x 2")
    found["measurements"] += [replace(better, round=number).as_dict() for number in range(3)]
    assert verdicts({"frames": found})["16 clients against the best peer"] == (2.0, True)


def test_the_same_file_and_runtime_are_compared_and_not_judged() -> None:
    assert verdicts({"frames": benchmark_results.frames()})["the same, both with FP32 in ONNX Runtime"] == (1.25, None)


def test_a_videos_budget_is_for_two_cores_and_judged_on_no_others() -> None:
    assert verdicts({"video": video_part()}, cores=8) == {"1080p video, all results": (58.0, None)}
    assert verdicts({"video": video_part()}, cores=2) == {"1080p video, all results": (58.0, True)}


def test_without_peers_nothing_is_said_of_them() -> None:
    found = benchmark_results.frames()
    found["measurements"] = [row for row in found["measurements"] if row["contender"] in {"floor", SERVED}]
    assert "16 clients against the best peer" not in verdicts({"frames": found})


def test_the_other_parts_are_judged_by_their_own_numbers() -> None:
    parts = {
        "video": video_part(),
        "memory": {"growth_mb": 12.5},
        "start": {"seconds": {"median": 3.5, "low": 3.0, "high": 4.0}},
        "live": {"p99_ratio": 1.8},
        "overload": {"p99_ratio": 6.0, "refused_p99_ms": 20.0, "other_errors": 0},
        "soak": {"growth_mb": 51.0, "failed": 0},
    }
    assert verdicts(parts) == {
        "1080p video, all results": (58.0, True),
        "memory, a video ten times as long": (12.5, True),
        "memory over the soak": (51.0, False),
        "failed requests of the soak": (0, True),
        "ready after `serve`, two models": (3.5, False),
        "live p99 beside a video against without": (1.8, True),
        "overload: accepted p99 against unloaded": (6.0, False),
        "overload: refused within": (20.0, True),
        "overload: errors but 503": (0, True),
    }


def test_what_was_not_measured_is_not_judged() -> None:
    assert judge({}, 2) == []


def test_throughput_is_listed_by_round_and_the_fastest_of_several_is_found() -> None:
    rows = benchmark_results.frames()["measurements"]
    assert per_round(rows[::-1], SERVED, clients=16) == {0: 140, 1: 70, 2: 140}
    assert best_per_round(rows, {"litserve", "triton"}, clients=16) == {0: 56, 1: 28, 2: 56}


def test_a_videos_stages_are_medians_over_the_rounds() -> None:
    ours, ffmpeg = video.summarise(benchmark_results.runs())
    assert ours["stage_ms_per_frame"] == {"decode": 4.0, "infer": 8.0, "encode": 12.5}
    assert ours["frames_per_second"] == {"median": 58.0, "low": 56.0, "high": 60.0}
    assert "stage_ms_per_frame" not in ffmpeg


def test_results_are_written_part_by_part_and_read_again(tmp_path: Path) -> None:
    results = Results.today(tmp_path, benchmark_results.MACHINE, "instruments/2")
    results.keep("start", {"seconds": {"median": 2.0, "low": 1.9, "high": 2.1}})
    assert newest(tmp_path, "start").name == "2026-11-21-2-cores-example-cpu-9000.json"
    results.keep("frames", benchmark_results.frames())
    found = read(newest(tmp_path, "frames"))
    assert set(found) == {"format", "machine", "model", "budgets", "parts"}
    assert set(found["parts"]) == {"start", "frames"}
    assert {"what", "budget", "measured", "unit", "holds"} == set(found["budgets"][0])
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".json", ".md"]


def test_a_later_run_of_the_day_keeps_the_parts_that_it_does_not_measure(tmp_path: Path) -> None:
    Results.today(tmp_path, benchmark_results.MACHINE, "instruments/2").keep("memory", {"growth_mb": 1.0})
    later = Results.today(tmp_path, benchmark_results.MACHINE | {"date": "2026-11-21T15:00:00+00:00"}, "instruments/2")
    assert later.parts == {"memory": {"growth_mb": 1.0}}


@pytest.mark.parametrize(
    ("changed", "model"),
    [
        ({"commit": {"id": "another", "dirty": False}}, "instruments/2"),
        ({"settings": {"ENDOMASK_THREADS": "1"}}, "instruments/2"),
        ({}, "instruments/3"),
    ],
)
def test_parts_of_other_code_settings_or_another_model_are_not_kept(
    tmp_path: Path, changed: dict[str, Any], model: str
) -> None:
    Results.today(tmp_path, benchmark_results.MACHINE, "instruments/2").keep("memory", {"growth_mb": 1.0})
    assert Results.today(tmp_path, benchmark_results.MACHINE | changed, model).parts == {}


def test_results_of_another_format_are_refused(tmp_path: Path) -> None:
    (tmp_path / "old.json").write_text(json.dumps({"format": 0}))
    with pytest.raises(ValueError, match="format 0; this suite reads format 1"):
        read(tmp_path / "old.json")


def test_the_tables_say_what_was_measured_and_what_failed(tmp_path: Path) -> None:
    results = Results.today(tmp_path, benchmark_results.MACHINE, "instruments/2")
    results.keep("frames", benchmark_results.frames())
    results.keep("video", video_part())
    results.keep("start", {"seconds": {"median": 2.0}, "each_seconds": [2.0, 2.1]})
    page = newest(tmp_path, "frames").with_suffix(".md").read_text()
    assert page.startswith("# instruments/2 on 2 cores of Example(R) CPU 9000 @ 2.60GHz, 2026-11-21\n")
    assert "| endomask | 854x480 | mask | 16 |  | 140 (70 to 140) |" in page
    assert "failed in round 1: mosec: it ended with 1; log: no such file\n" in page
    assert "| 16 clients against the best peer | at least 2 times | 2.5 times | holds |" in page
    assert "| 1920x1080 | endomask | 58 (56 to 60) | 2.32 | 30 |" in page
    assert "| each_seconds | 2.0, 2.1 |" in page
    rows = [line for line in page.splitlines() if line.startswith("|")]
    assert all(line.endswith("|") for line in rows)


def test_the_figure_is_an_svg_with_every_server(tmp_path: Path) -> None:
    results = Results.today(tmp_path, benchmark_results.MACHINE, "instruments/2")
    results.keep("frames", benchmark_results.frames())
    path = draw(results.as_dict(), tmp_path / "bench.svg")
    root = ElementTree.parse(path).getroot()
    assert root.tag.endswith("svg")
    assert path.read_bytes() == draw(results.as_dict(), tmp_path / "again.svg").read_bytes()


def test_a_figure_needs_the_frames(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="measure them first"):
        draw({"parts": {}}, tmp_path / "bench.svg")


def test_the_machines_facts_are_those_that_a_reader_needs() -> None:
    found = machine.facts()
    assert set(found) == set(benchmark_results.MACHINE)
    assert found["cores"] >= 1
    assert json.dumps(found)


def test_the_load_of_the_machine_is_a_share(tmp_path: Path) -> None:
    found = machine.load(0.05)
    assert 0 <= found.busy_share <= 1
    assert 0 <= found.stolen_share <= 1


def test_where_there_is_no_proc_nothing_is_known_of_the_load(tmp_path: Path) -> None:
    assert machine.cpu_ticks(tmp_path / "none") == [0] * 8


def test_the_newest_results_of_a_part_are_those_that_hold_it(tmp_path: Path) -> None:
    Results.today(tmp_path, benchmark_results.MACHINE, "instruments/2").keep("frames", benchmark_results.frames())
    later = benchmark_results.MACHINE | {"date": "2026-11-21T15:00:00+00:00"}
    soaked = Results.today(tmp_path, later, "instruments/2", "-soak")
    soaked.keep("soak", {"growth_mb": 1.0, "failed": 0})
    assert newest(tmp_path, "soak") == soaked.path
    assert newest(tmp_path, "frames") != soaked.path
    with pytest.raises(FileNotFoundError, match="no results with memory"):
        newest(tmp_path, "memory")


def test_the_newest_results_are_those_measured_last_whatever_the_machines_name(tmp_path: Path) -> None:
    first = Results.today(tmp_path, benchmark_results.MACHINE, "instruments/2")
    first.keep("memory", {"growth_mb": 1.0})
    later = benchmark_results.MACHINE | {"date": "2026-11-21T15:00:00+00:00", "cpu": "Another CPU"}
    second = Results.today(tmp_path, later, "instruments/2")
    second.keep("memory", {"growth_mb": 2.0})
    assert first.path.name > second.path.name
    assert newest(tmp_path, "memory") == second.path
