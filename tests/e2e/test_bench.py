"""The benchmark suite from its command line, in seconds: that it runs and what it leaves, not how fast anything is."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.__main__ import DEFAULT, Part
from benchmarks.contenders import peer_cases, served_cases
from benchmarks.frames import SAME, SERVED
from benchmarks.results import newest, read
from tests.support.red import write_red_package
from tests.support.server import ROOT

pytestmark = pytest.mark.timeout(900)


def bench(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "benchmarks", *arguments]
    return subprocess.run(
        command, cwd=ROOT, env=os.environ | environment, capture_output=True, text=True, timeout=850, check=False
    )


def test_floor_and_served_are_measured_in_one_run_and_drawn(tmp_path: Path) -> None:
    write_red_package(tmp_path / "models")
    given = ("--quick", "--rounds", "1", "--seconds", "0.05", "--out", str(tmp_path / "out"))
    red = {"ENDOMASK_MODELS_DIR": str(tmp_path / "models"), "ENDOMASK_DEFAULT_MODEL": "red"}
    done = bench("floor", "served", "figure", *given, "--work", str(tmp_path / "work"), **red)
    assert done.returncode == 0, done.stdout + done.stderr
    found = read(newest(tmp_path / "out", "frames"))
    frames = found["parts"]["frames"]
    assert frames["failures"] == []
    cases = [(row["contender"], row["frame"], row["answer"], row["clients"]) for row in frames["measurements"]]
    for name, wanted in ((SERVED, served_cases()), (SAME, peer_cases())):
        assert [case for case in cases if case[0] == name] == [
            (name, case.frame, case.answer, case.clients) for case in wanted
        ]
    assert all(row["failed"] == {} and row["frames_per_second"] > 0 for row in frames["measurements"])
    assert all(value > 0.99 for value in frames["dice_with_fp32"].values())
    assert {"infer", "decode"} <= set(frames["summary"][0]["stages_ms"])
    assert newest(tmp_path / "out", "frames").with_suffix(".md").read_text().startswith("# red/")
    assert (tmp_path / "work/bench.svg").stat().st_size > 1000


def test_help_names_every_part_and_an_example() -> None:
    said = " ".join(bench("--help", COLUMNS="160").stdout.split())
    for part in Part:
        assert part in said
    assert "./run bench floor served" in said


def test_an_even_number_of_rounds_is_refused() -> None:
    done = bench("floor", "--rounds", "2", COLUMNS="160")
    assert done.returncode == 2
    assert "2 is even" in done.stderr


def test_the_readme_of_the_benchmarks_names_every_part() -> None:
    page = (ROOT / "benchmarks/README.md").read_text()
    for part in Part:
        assert f"| `{part}` |" in page, part


def test_all_but_the_soak_run_when_no_part_is_named() -> None:
    assert set(Part) - set(DEFAULT) == {Part.SOAK}
