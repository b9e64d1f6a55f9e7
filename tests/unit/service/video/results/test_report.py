"""One clip drawn by hand: what happens in it over time stands in the rows, in the summary and in the report."""

import dataclasses
import html
import re
from pathlib import Path

import pytest

from service.loading import LoadedModel
from service.video.results.plots import coverage_over_time, stability_over_time
from service.video.results.report_parts import duration
from service.video.results.tables import Series
from tests.support.drawn_clips import HEIGHT, WIDTH, clip_of, rows_of, run
from tests.support.red import fake_model, write_red_package
from tests.support.video_api import read_masks

LEFT, RIGHT = (10, 20), (80, 20)
CLIP = [[]] * 5 + [[LEFT]] * 5 + [[LEFT, RIGHT]] * 5 + [[]] + [[LEFT]] * 3 + [[(16, 28)]]
"""At 10 frames a second: nothing, one tool, two, a frame without, one tool that moves 10 pixels at last."""


def tables(report: str) -> dict[str, dict[str, list[str]]]:
    """Heading -> first cell of a row -> the others."""
    found = {}
    for heading, rows in re.findall(r'<h2>([^<]+)</h2><div class="table"><table>(.*?)</table>', report):
        cells = [re.findall(r"<td>(.*?)</td>", row) for row in rows.split("</tr>") if "<td>" in row]
        found[heading] = {re.sub(r"<.*?>", "", first): others for first, *others in cells}
    return found


@pytest.fixture
def model(tmp_path: Path) -> LoadedModel:
    return fake_model(write_red_package(tmp_path / "models", size=(HEIGHT, WIDTH)))


@pytest.fixture
def report(tmp_path: Path, model: LoadedModel) -> str:
    _, out = run(tmp_path, "out", clip_of(tmp_path, CLIP), model, outputs=("report",))
    return (out / "report.html").read_text()


def test_rows_and_summary_carry_what_was_drawn(tmp_path: Path, model: LoadedModel) -> None:
    summary, out = run(tmp_path, "out", clip_of(tmp_path, CLIP), model)
    rows = rows_of(out)
    assert [row["instances"] for row in rows] == [len(places) for places in CLIP]
    ious = [row["temporal_iou"] for row in rows]
    common = (20 - 6) * (20 - 8)
    assert ious[:5] == [None] * 5
    assert ious[5:19] == [0, 1, 1, 1, 1, 0.5, 1, 1, 1, 1, 0, 0, 1, 1]
    assert ious[19] == pytest.approx(common / (2 * 400 - common), abs=0.02), "but for the corners"
    last, before = (read_masks((out / "masks.zip").read_bytes())[index] > 0 for index in (19, 18))
    assert ious[19] == pytest.approx((last & before).sum() / (last | before).sum(), abs=1e-6)
    assert rows[19]["tool_moved_px"] == pytest.approx(10, abs=0.1)
    assert rows[19]["tool_speed_px_s"] == pytest.approx(100, abs=1)
    assert summary.activity.none_s == pytest.approx(0.6)
    assert summary.activity.one_s == pytest.approx(0.9)
    assert summary.activity.two_or_more_s == pytest.approx(0.5)
    assert summary.activity.idle_s == pytest.approx(0.6)
    (tool,) = summary.classes
    assert [(span.start_s, span.end_s) for span in tool.intervals] == [(0.5, 1.5), (1.6, 2.0)]
    assert (tool.time_in_view_s, tool.appearances, tool.flicker.flickers) == (pytest.approx(1.4), 2, 1)
    assert tool.motion.path_px == pytest.approx(10, abs=0.1)
    assert summary.stability.temporal_iou.mean == pytest.approx(sum(ious[5:]) / 15, abs=1e-4)  # type: ignore[arg-type]


def test_the_report_says_the_same(report: str) -> None:
    told = tables(report)
    assert told["Classes"]["tool"][:3] == ["70.0%", "1.4 s", "2"]
    assert told["Activity"] == {
        "no instance": ["0.6 s", "30.0%"],
        "one": ["0.9 s", "45.0%"],
        "two or more": ["0.5 s", "25.0%"],
        "idle: nothing in view": ["0.6 s", "30.0%"],
    }
    path, diagonals, _, _, fastest, flickers, per_minute, share = told["Motion and flicker"]["tool"]
    assert (path, diagonals, flickers, per_minute, share) == ("10", "0.1", "1", "30.0", "5.0%")
    assert float(fastest) >= 0
    assert "<b>1.4 s</b>time in view" in report
    assert "smoothed" not in report


def test_the_report_says_what_was_asked_for_and_when_a_sample_was_shown(tmp_path: Path, model: LoadedModel) -> None:
    asked = {"frame_step": 2, "max_frames": 18, "smoothing": 3, "bridge_s": 0.25, "out_of_body": "pixelate"}
    _, out = run(tmp_path, "out", clip_of(tmp_path, CLIP), model, outputs=("report",), **asked)
    report = html.unescape((out / "report.html").read_text())
    assert (
        "One of 2 frames segmented; the first 18 frames only; smoothed over 3 segmented frames; gaps of up to 0.25 s "
        "bridged; frames out of the body pixelated." in report
    )
    assert "frame 16, 1.6 s" in report


def test_axes_of_a_long_video_are_in_minutes(report: str, tmp_path: Path, model: LoadedModel) -> None:
    summary, out = run(tmp_path, "long", clip_of(tmp_path, CLIP), model)
    series = Series(["tool"])
    series.extend(rows_of(out))
    assert report.count("time (s)") == 2
    assert "time (s)" in coverage_over_time(summary, series)
    long = dataclasses.replace(summary, duration_s=3600)
    for draw in (coverage_over_time, stability_over_time):
        assert "time (min)" in draw(long, series)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.04, "0.0 s"), (59.9, "59.9 s"), (61, "1:01 min"), (3723, "1:02:03 h")]
)
def test_a_duration_is_written_for_a_person(seconds: float, text: str) -> None:
    assert duration(seconds) == text
