"""Clips of every kind through the HTTP API of the real server, with ffprobe as the witness."""

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from service.imaging.geometry import U8
from tests.support import videos
from tests.support.red import write_red_package
from tests.support.server import start_server
from tests.support.video_api import VideoApi, dice, ffprobe, red_in

EVEN = dict.fromkeys(videos.VARIANTS, (videos.HEIGHT, videos.WIDTH))
SIZES = {**EVEN, "odd.mkv": (241, 321), "rotated90.mp4": (128, 96), "rotated180.mp4": (96, 128)}
SIZES |= {"rotated270.mp4": (128, 96), "variable.mp4": (96, 128), "sound.mp4": (96, 128)}
ROTATIONS = {"rotated90.mp4": 1, "rotated180.mp4": 2, "rotated270.mp4": 3}


pytestmark = pytest.mark.timeout(600)  # whatever comes first waits for all clips


def make_clips(folder: Path) -> dict[str, Path]:
    clips = {name: videos.write_variant(folder, name) for name in videos.VARIANTS}
    clips["odd.mkv"] = videos.odd_sized(folder / "odd.mkv")
    for name, quarter_turns in ROTATIONS.items():
        clips[name] = videos.rotated(folder / name, 90 * quarter_turns)
    clips["variable.mp4"] = videos.variable_rate(folder / "variable.mp4")
    clips["sound.mp4"] = videos.write_video(folder / "sound.mp4", sound=True, metadata={"artist": "Jane Doe"})
    return clips


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VideoApi]:
    """A server with the red model; a segment lasts 0.2 s, so that the clips have several."""
    folder = tmp_path_factory.mktemp("videos")
    write_red_package(folder / "models")
    given = {"ENDOMASK_MODELS_DIR": str(folder / "models"), "ENDOMASK_DEFAULT_MODEL": "red"}
    with (
        start_server(folder, ENDOMASK_SEGMENT_SECONDS="0.2", ENDOMASK_WORKERS="1", **given) as running,
        VideoApi(running.url) as caller,
    ):
        yield caller


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return make_clips(tmp_path_factory.mktemp("clips"))


@pytest.fixture(scope="module")
def done(api: VideoApi, clips: dict[str, Path]) -> dict[str, dict[str, Any]]:
    """All clips uploaded at once and waited for: file name -> ended job."""
    queued = {name: api.upload(path, outputs="annotated,frames,masks") for name, path in clips.items()}
    return {name: api.wait(job) for name, job in queued.items()}


@pytest.fixture(scope="module")
def made(api: VideoApi, done: dict[str, dict[str, Any]], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """File name -> its annotated video, fetched."""
    folder = tmp_path_factory.mktemp("annotated")
    for name, job in done.items():
        assert job["status"] == "succeeded", (name, job["error"])
        (folder / f"{name}.mp4").write_bytes(api.file(job, "annotated.mp4"))
    return {name: folder / f"{name}.mp4" for name in done}


def expected_times(name: str) -> list[float]:
    if name == "variable.mp4":
        return [ms / 1000 for ms in videos.IRREGULAR_MS]
    return [index / videos.FPS for index in range(videos.FRAMES)]


def truth(name: str, index: int) -> U8:
    height, width = (96, 128) if name in ROTATIONS else SIZES[name]
    return np.rot90(red_in(videos.frame_at(index, height, width)), ROTATIONS.get(name, 0))


@pytest.mark.parametrize("name", SIZES)
def test_the_annotated_video_has_the_frames_and_times_of_its_input(
    name: str, clips: dict[str, Path], made: dict[str, Path]
) -> None:
    found, given = ffprobe(made[name]), ffprobe(clips[name])
    assert (found["codec_name"], found["pix_fmt"]) in {("h264", "yuv420p"), ("h264", "yuvj420p")}
    assert int(found["nb_read_frames"]) == int(given["nb_read_frames"]) == videos.FRAMES
    assert found["times"] == pytest.approx(expected_times(name), abs=1e-3)
    if name != "h264.avi":  # ffprobe guesses the times of H.264 in AVI, and wrongly
        assert found["times"] == pytest.approx([time - given["times"][0] for time in given["times"]], abs=1e-3)
    if name != "variable.mp4":
        assert found["avg_frame_rate"] == "25/1"
        assert float(found["duration"]) == pytest.approx(videos.FRAMES / videos.FPS, abs=1e-3)
    height, width = SIZES[name]
    assert (found["height"], found["width"]) == (height + height % 2, width + width % 2)


@pytest.mark.parametrize("name", SIZES)
def test_every_mask_is_where_the_red_box_is_seen(name: str, api: VideoApi, done: dict[str, dict[str, Any]]) -> None:
    masks = api.masks(done[name])
    assert list(masks) == list(range(videos.FRAMES))
    for index, mask in masks.items():
        assert mask.shape == SIZES[name]
        assert dice(mask, truth(name, index)) > 0.9, index


def test_a_variable_rate_video_lasts_as_long_as_its_input(api: VideoApi, tmp_path: Path) -> None:
    given = videos.write_video(tmp_path / "given.mp4", "mpeg4", times_ms=videos.IRREGULAR_MS)
    job = api.wait(api.upload(given, outputs="annotated"))
    (tmp_path / "made.mp4").write_bytes(api.file(job, "annotated.mp4"))
    assert ffprobe(tmp_path / "made.mp4")["times"] == pytest.approx(ffprobe(given)["times"], abs=1e-3)
    assert float(ffprobe(tmp_path / "made.mp4")["duration"]) == pytest.approx(
        float(ffprobe(given)["duration"]), abs=1e-3
    )


def test_sound_and_metadata_are_left_out(clips: dict[str, Path], made: dict[str, Path]) -> None:
    assert ffprobe(clips["sound.mp4"])["kinds"] == ["video", "audio"]
    assert ffprobe(made["sound.mp4"])["kinds"] == ["video"]
    assert b"Jane Doe" not in made["sound.mp4"].read_bytes()


def test_the_index_comes_before_the_pictures(made: dict[str, Path]) -> None:
    data = made["h264.mp4"].read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


def test_the_box_is_painted_in_its_colour_and_the_rest_is_left(api: VideoApi, made: dict[str, Path]) -> None:
    import av

    with av.open(str(made["ffv1.mkv"])) as container:
        shown = next(container.decode(video=0)).to_ndarray(format="rgb24").astype(int)
    before = videos.frame_at(0).astype(int)
    mask = truth("ffv1.mkv", 0) > 0
    changed = np.abs(shown - before).max(axis=2)
    assert np.percentile(changed[mask], 5) > 20
    assert np.percentile(changed[~mask], 95) < 12


def test_rows_are_the_same_in_csv_json_lines_and_parquet(api: VideoApi, done: dict[str, dict[str, Any]]) -> None:
    job = done["h264.mp4"]
    table = pq.read_table(io.BytesIO(api.file(job, "frames.parquet"))).to_pylist()
    lines = [json.loads(line) for line in api.file(job, "frames.jsonl").splitlines()]
    cells = list(csv.DictReader(io.StringIO(api.file(job, "frames.csv").decode())))
    assert table == lines
    assert len(cells) == len(lines) == videos.FRAMES
    for cell, line in zip(cells, lines, strict=True):
        assert {name: "" if value is None else str(value).lower() for name, value in line.items()} == cell


def test_rows_tell_what_the_masks_show(api: VideoApi, done: dict[str, dict[str, Any]]) -> None:
    lines = [json.loads(line) for line in api.file(done["ffv1.mkv"], "frames.jsonl").splitlines()]
    masks = api.masks(done["ffv1.mkv"])
    for index, line in enumerate(lines):
        assert line["index"] == index
        assert line["time_s"] == pytest.approx(index / videos.FPS)
        assert line["tool_coverage"] == pytest.approx((masks[index] == 1).mean(), abs=1e-5)
        assert (line["detected"], line["instances"], line["tool_instances"]) == (True, 1, 1)
        if index:
            both, either = masks[index] & masks[index - 1], masks[index] | masks[index - 1]
            assert line["temporal_iou"] == pytest.approx(both.sum() / either.sum(), abs=1e-5)
    assert lines[0]["temporal_iou"] is None


def test_the_summary_counts_and_the_report_stands_alone(api: VideoApi, clips: dict[str, Path]) -> None:
    job = api.wait(api.upload(clips["h264.mp4"]))
    summary = json.loads(api.file(job, "summary.json"))
    assert summary["frames"] == {"total": 12, "segmented": 12, "damaged": 0, "decoded_in_hardware": 0}
    assert summary["damage"] == {"undecodable": [], "gaps": [], "missing_at_end": None, "times_repaired": False}
    assert summary["detection_rate"] == 1.0
    assert summary["classes"][0]["time_in_view_s"] == pytest.approx(0.48)
    assert summary["classes"][0]["intervals"] == [{"start_s": 0.0, "end_s": 0.48}]
    report = api.file(job, "report.html").decode()
    assert report.count("<svg") == 3
    assert report.count("data:image/jpeg;base64,") == 6
    assert 'src="http' not in report
    assert "<link" not in report


def test_with_a_frame_step_all_frames_are_shown_and_every_third_is_segmented(
    api: VideoApi, clips: dict[str, Path], tmp_path: Path
) -> None:
    job = api.wait(api.upload(clips["ffv1.mkv"], frame_step=3, max_frames=8, outputs="annotated,frames,masks"))
    path = tmp_path / "annotated.mp4"
    path.write_bytes(api.file(job, "annotated.mp4"))
    assert ffprobe(path)["times"] == pytest.approx([index / 25 for index in range(8)])
    assert list(api.masks(job)) == [0, 3, 6]
    assert [json.loads(line)["index"] for line in api.file(job, "frames.jsonl").splitlines()] == [0, 3, 6]
    assert job["progress"]["frames_total"] == job["progress"]["frames_done"] == 8


def test_only_the_outputs_that_were_asked_for_are_made(api: VideoApi, clips: dict[str, Path]) -> None:
    job = api.wait(api.upload(clips["h264.mp4"], outputs="frames"))
    assert set(job["links"]) == {"self", "events", "frames.csv", "frames.jsonl", "frames.parquet", "summary.json"}
    answer = api.client.get(f"/v1/videos/{job['id']}/masks.zip")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert "outputs" in answer.json()["detail"]


def test_a_lower_threshold_finds_no_less(api: VideoApi, clips: dict[str, Path]) -> None:
    low, high = (api.wait(api.upload(clips["ffv1.mkv"], threshold=value, outputs="masks")) for value in (0.1, 0.9))
    sizes = [sum(int(mask.sum()) for mask in api.masks(job).values()) for job in (low, high)]
    assert sizes[0] > sizes[1] > 0


def test_damaged_frames_are_left_out_counted_and_located(api: VideoApi, tmp_path: Path) -> None:
    path = videos.damaged(tmp_path / "damaged.mp4")
    job = api.wait(api.upload(path, outputs="annotated,frames"))
    summary = json.loads(api.file(job, "summary.json"))
    kept = [json.loads(line)["index"] for line in api.file(job, "frames.jsonl").splitlines()]
    lost = sorted(set(range(50)) - set(kept))
    assert lost
    assert job["progress"]["frames_damaged"] == summary["frames"]["damaged"] == len(lost)
    places = [(entry["start_s"], entry["frames"]) for entry in summary["damage"]["undecodable"]]
    assert places == [(pytest.approx(index / 25), 1) for index in lost]
    (tmp_path / "annotated.mp4").write_bytes(api.file(job, "annotated.mp4"))
    assert ffprobe(tmp_path / "annotated.mp4")["times"] == pytest.approx([index / 25 for index in kept], abs=1e-3)


def test_a_file_cut_off_in_the_middle_gives_what_is_there(api: VideoApi, tmp_path: Path) -> None:
    job = api.wait(api.upload(videos.truncated(tmp_path / "cut.mp4", faststart=True), outputs="masks"))
    assert job["status"] == "succeeded"
    assert 20 <= len(api.masks(job)) <= 30


def test_results_come_in_ranges_with_an_etag(api: VideoApi, done: dict[str, dict[str, Any]]) -> None:
    url = f"/v1/videos/{done['h264.mp4']['id']}/annotated.mp4"
    whole = api.client.get(url)
    part = api.client.get(url, headers={"Range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, whole.content[10:20])
    assert part.headers["Content-Range"] == f"bytes 10-19/{len(whole.content)}"
    assert part.headers["ETag"] == whole.headers["ETag"]
    assert whole.headers["Content-Type"] == "video/mp4"
    assert whole.headers["Content-Disposition"].startswith("inline")
    stale = api.client.get(url, headers={"Range": "bytes=10-19", "If-Range": '"another"'})
    assert (stale.status_code, stale.content) == (200, whole.content)
    beyond = api.client.get(url, headers={"Range": f"bytes={len(whole.content)}-"})
    assert (beyond.status_code, beyond.json()["code"]) == (416, "range_not_satisfiable")
    assert api.client.get(url, headers={"Range": "bytes=x-y"}).json()["code"] == "malformed_request"
