"""The numbers in the pages are those of the newest results."""

from pathlib import Path

import pytest

from benchmarks.__main__ import RESULTS
from benchmarks.pages import PAGES, fill, sections, write_pages
from benchmarks.results import Results
from tests.support import benchmark_results

PAGE = """before
<!-- bench: budgets -->
old
<!-- bench end -->
between
<!-- bench: soak -->

<!-- bench end -->
after
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    Results.today(tmp_path, benchmark_results.MACHINE, "instruments/2").keep("frames", benchmark_results.frames())
    return tmp_path


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_pages_hold_the_newest_results(page: Path) -> None:
    text = page.read_text()
    assert "<!-- bench: " in text
    assert fill(text, sections(RESULTS)) == text, "`./run bench figure` makes them"


def test_only_what_stands_between_marks_is_made_anew(folder: Path) -> None:
    page = folder / "page.md"
    page.write_text(PAGE)
    write_pages(folder, (page,))
    text = page.read_text()
    assert text.startswith("before\n<!-- bench: budgets -->\n| what | budget | measured |  |\n")
    assert "| 16 clients against the best peer | at least 2 times | 2.5 times | holds |\n" in text
    assert "<!-- bench end -->\nbetween\n<!-- bench: soak -->\nNot measured in the newest results.\n" in text
    assert text.endswith("<!-- bench end -->\nafter\n")
    write_pages(folder, (page,))
    assert page.read_text() == text


def test_a_mark_that_names_nothing_is_an_error(folder: Path) -> None:
    with pytest.raises(KeyError, match="wishes"):
        fill("<!-- bench: wishes -->\n\n<!-- bench end -->", sections(folder))


def test_the_headline_tells_what_is_missed_and_what_the_same_runtime_gives(folder: Path) -> None:
    said = sections(folder)["headline"]
    assert said.startswith("`instruments/2` on 2 cores of Example(R) CPU 9000")
    assert "140 frames a second for 16 clients, 10.3 ms a frame for one" in said
    assert "2.5 times the best of 2 other servers, which run the FP32 file in ONNX Runtime" in said
    assert "with the same file and runtime it answers 1.25 times as many frames as the best of them" in said
    assert said.endswith("Budgets missed: all but the graph's run, one client.")


def test_the_frames_table_has_the_fastest_first_and_the_floor_last(folder: Path) -> None:
    rows = sections(folder)["frames"].splitlines()[2:]
    assert [row.split(" | ")[0].removeprefix("| ") for row in rows] == [
        "**Endomask**",
        "Endomask, FP32 in ONNX Runtime",
        "NVIDIA Triton (pytriton) 0.7",
        "LitServe 0.2",
        "in one process, 1 thread",
        "in one process, 2 threads",
    ]


def test_a_soak_has_its_own_sentence(folder: Path) -> None:
    soak = {"seconds": 1200.0, "frames": 9000, "videos": 4, "failed": 0}
    soak |= {"memory_mb": [[10.0, 650.0], [1200.0, 700.0]], "growth_mb": 12.0}
    Results.today(folder, benchmark_results.MACHINE, "instruments/2", "-soak").keep("soak", soak)
    assert "20 minutes, 9000 frames and 4 videos, 0 failed; memory of all processes 650 MB" in sections(folder)["soak"]
