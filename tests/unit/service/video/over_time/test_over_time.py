"""Clips drawn by hand go through the whole pipeline, and its analysis over time gives the answers known beforehand."""

from pathlib import Path

import av
import numpy as np
import pyarrow.parquet as pq
import pytest

from service.imaging.geometry import U8
from service.loading import LoadedModel
from tests.support.drawn_clips import HEIGHT, WIDTH, clip_of, rows_of, run, with_tools, write_clip
from tests.support.red import fake_model, write_red_package


@pytest.fixture
def model(tmp_path: Path) -> LoadedModel:
    return fake_model(write_red_package(tmp_path / "models", size=(HEIGHT, WIDTH)))


def test_a_tool_on_its_way_has_the_path_and_the_speed_of_the_way_across_segments(
    tmp_path: Path, model: LoadedModel
) -> None:
    clip = clip_of(tmp_path, [[(10 + 3 * number, 20 + 4 * (number % 2))] for number in range(20)])
    summary, out = run(tmp_path, "out", clip, model)
    motion = summary.classes[0].motion
    assert motion.path_px == pytest.approx(19 * 5, abs=0.5)  # 3 right and 4 up or down make 5
    assert motion.path_diagonals == pytest.approx(19 * 5 / 160, abs=0.01)
    assert motion.followed_s == pytest.approx(1.9)
    assert motion.speed_px_s.median == pytest.approx(50, abs=1)
    row = rows_of(out)[5]
    assert row["tool_centroids"] == [[pytest.approx(34.5, abs=0.5), pytest.approx(33.5, abs=0.5)]]
    assert row["tool_moved_px"] == pytest.approx(5, abs=0.1)
    table = pq.read_table(out / "frames.parquet").to_pylist()
    assert table == rows_of(out)


def test_time_with_none_one_and_two_tools_and_idle_time(tmp_path: Path, model: LoadedModel) -> None:
    one, two = [(10, 10)], [(10, 10), (90, 50)]
    clip = clip_of(tmp_path, [*[one] * 6, *[[]] * 4, *[two] * 7, *[[]] * 3])
    summary, _ = run(tmp_path, "out", clip, model)
    activity = summary.activity
    assert (activity.one_s, activity.two_or_more_s, activity.none_s, activity.most_at_once) == (0.6, 0.7, 0.7, 2)
    assert (activity.idle_s, activity.longest_idle_s) == (0.7, 0.4)
    assert [(span.start_s, span.end_s) for span in activity.idle] == [(0.6, 1.0), (1.7, 2.0)]
    assert summary.time_in_view_s == 1.3


def test_flicker_is_counted_and_bridging_mends_its_intervals(tmp_path: Path, model: LoadedModel) -> None:
    tool = [(10, 10)]
    clip = clip_of(tmp_path, [*[tool] * 8, [], *[tool] * 11])
    raw, _ = run(tmp_path, "raw", clip, model)
    found = raw.classes[0]
    assert (found.flicker.flickers, found.flicker.per_minute, found.flicker.share) == (1, 30, 0.05)
    assert [(span.start_s, span.end_s) for span in found.intervals] == [(0, 0.8), (0.9, 2.0)]
    bridged, _ = run(tmp_path, "bridged", clip, model, bridge_s=0.1)
    assert [(span.start_s, span.end_s) for span in bridged.classes[0].intervals] == [(0, 2.0)]
    assert (bridged.classes[0].appearances, bridged.time_in_view_s, bridged.activity.idle_s) == (1, 2.0, 0)
    assert bridged.classes[0].detection_rate == found.detection_rate == 0.95


def test_smoothing_closes_a_gap_of_one_frame_and_lags_by_the_window(tmp_path: Path, model: LoadedModel) -> None:
    tool = [(10, 10)]
    clip = clip_of(tmp_path, [*[[]] * 4, *[tool] * 4, [], *[tool] * 5, *[[]] * 6])
    _, out = run(tmp_path, "out", clip, model, smoothing=3)
    # Seen where at least two of the three frames up to now show it.
    expected = [*[False] * 5, *[True] * 10, *[False] * 5]
    assert [row["detected"] for row in rows_of(out)] == expected


@pytest.mark.parametrize("changes", [{}, {"frame_step": 2}])
def test_smoothed_rows_and_masks_are_the_same_however_the_video_is_cut(
    tmp_path: Path, model: LoadedModel, changes: dict[str, int]
) -> None:
    random = np.random.default_rng(4)
    clip = clip_of(tmp_path, [[(int(x), 30)] for x in random.integers(0, 100, 24)])
    made = [
        run(tmp_path, f"{seconds}", clip, model, smoothing=4, segment_seconds=seconds, **changes)[1]
        for seconds in (0.3, 100.0)
    ]
    for name in ("frames.jsonl", "masks.zip"):
        assert (made[0] / name).read_bytes() == (made[1] / name).read_bytes(), name
    assert len({row["coverage"] for row in rows_of(made[0])}) > 3


def drapes(number: int) -> U8:
    """What an operating room may look like: blue and green cloth with noise that a face could be."""
    noise = np.random.default_rng(number).integers(-35, 36, (HEIGHT, WIDTH, 1))
    half = np.where(np.arange(WIDTH)[:, None] < WIDTH // 2, (40, 110, 140), (60, 130, 90))
    return np.clip(half + noise, 0, 255).astype(np.uint8)


def luma(path: Path) -> list[U8]:
    """Luma of each frame, by PyAV alone."""
    with av.open(str(path)) as container:
        return [np.asarray(frame.to_ndarray(format="gray"), np.uint8) for frame in container.decode(video=0)]


def detail(picture: U8) -> float:
    """Mean difference of neighbouring pixels, but at the edges of the blocks of 8 x 8 that pixelating leaves here."""
    across = np.abs(np.diff(picture.astype(int), axis=1))
    return float(np.delete(across, np.arange(7, WIDTH - 1, 8), axis=1).mean())


def test_frames_out_of_the_body_are_marked_and_their_picture_is_gone_from_the_video(
    tmp_path: Path, model: LoadedModel
) -> None:
    inside = with_tools([(30, 30)])
    clip = write_clip(tmp_path / "clip.mkv", [*[inside] * 7, *map(drapes, range(6)), *[inside] * 7])
    expected = [*[False] * 7, *[True] * 6, *[False] * 7]
    results = {choice: run(tmp_path, choice, clip, model, out_of_body=choice) for choice in ("off", "mark", "pixelate")}
    assert results["off"][0].out_of_body is None
    assert {row["out_of_body"] for row in rows_of(results["off"][1])} == {None}
    for choice in ("mark", "pixelate"):
        summary, out = results[choice]
        assert [row["out_of_body"] for row in rows_of(out)] == expected
        assert summary.out_of_body is not None
        assert (summary.out_of_body.share, summary.out_of_body.time_s) == (0.3, 0.6)
        assert [(span.start_s, span.end_s) for span in summary.out_of_body.intervals] == [(0.7, 1.3)]
    pictures = {choice: luma(out / "annotated.mp4") for choice, (_, out) in results.items()}
    for number, outside in enumerate(expected):
        marked, hidden = pictures["mark"][number], pictures["pixelate"][number]
        if outside:
            assert detail(marked) > 8
            assert detail(hidden) < 1
        else:
            assert np.abs(marked.astype(int) - hidden).mean() < 2
    assert (results["mark"][1] / "masks.zip").read_bytes() == (results["pixelate"][1] / "masks.zip").read_bytes()
