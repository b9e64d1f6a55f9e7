"""Whole videos without a queue: resumed work equals undisturbed work, and a mask of known place is found."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from service.backends.choice import Choice
from service.errors import InferenceFailed, UndecodableVideo
from service.imaging.geometry import U8
from service.loading import LoadedModel
from service.video.options import VideoOptions
from service.video.pipeline import process_file
from service.video.results.summary import Summary
from tests.support import videos
from tests.support.red import FakeBackend, fake_model, write_red_package
from tests.support.video_api import dice, frame_checksums, read_masks, red_in

OPTIONS = VideoOptions(segment_seconds=0.2, outputs=("annotated", "frames", "masks"))
FRAMES = 40


@pytest.fixture
def model(tmp_path: Path) -> LoadedModel:
    return fake_model(write_red_package(tmp_path / "models"))


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return videos.write_video(tmp_path / "clip.mp4", frames=FRAMES)


def run(clip: Path, out: Path, model: LoadedModel, options: VideoOptions = OPTIONS) -> Summary:
    return process_file(clip, out, model, options, lambda _done, _total: None)


class PulledPlugError(Exception):
    pass


@pytest.mark.parametrize("at", [1, 9, 23, 39])
def test_interrupted_work_goes_on_and_ends_as_if_nothing_had_been(
    tmp_path: Path, clip: Path, model: LoadedModel, at: int
) -> None:
    def pull_the_plug(done: int, _total: int) -> None:
        if done == at:
            raise PulledPlugError

    with pytest.raises(PulledPlugError):
        process_file(clip, tmp_path / "again", model, OPTIONS, pull_the_plug)
    assert not (tmp_path / "again" / "frames.csv").exists()
    backend = FakeBackend()
    run(clip, tmp_path / "again", dataclasses.replace(model, choice=Choice(backend)))
    run(clip, tmp_path / "once", model)
    assert sum(backend.batch_sizes) < FRAMES or at < 8
    for name in ("frames.csv", "frames.jsonl", "frames.parquet", "masks.zip"):
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / "once" / name).read_bytes(), name
    assert frame_checksums(tmp_path / "again" / "annotated.mp4") == frame_checksums(tmp_path / "once" / "annotated.mp4")
    assert sorted(path.name for path in (tmp_path / "again").iterdir()) == sorted(OPTIONS.files)


def test_the_length_of_segments_changes_no_row_and_no_mask(tmp_path: Path, clip: Path, model: LoadedModel) -> None:
    for name, seconds in (("short", 0.1), ("long", 100.0)):
        run(clip, tmp_path / name, model, dataclasses.replace(OPTIONS, segment_seconds=seconds))
    for name in ("frames.csv", "masks.zip"):
        assert (tmp_path / "short" / name).read_bytes() == (tmp_path / "long" / name).read_bytes()


@pytest.mark.parametrize("max_batch", [1, 3, 8])
def test_batches_keep_frames_and_masks_together(tmp_path: Path, clip: Path, model: LoadedModel, max_batch: int) -> None:
    backend = FakeBackend(max_batch=max_batch)
    run(clip, tmp_path / "out", dataclasses.replace(model, choice=Choice(backend)))
    assert max(backend.batch_sizes) <= max_batch
    for index, mask in read_masks((tmp_path / "out" / "masks.zip").read_bytes()).items():
        assert dice(mask, red_in(videos.frame_at(index))) > 0.9


def test_three_classes_have_columns_and_colours_of_their_own(tmp_path: Path, clip: Path) -> None:
    package = write_red_package(tmp_path / "models", classes=3)
    summary = run(clip, tmp_path / "out", fake_model(package))
    assert [(entry.name, entry.detection_rate) for entry in summary.classes] == [("tool", 1.0), ("unseen2", 0.0)]
    row = json.loads((tmp_path / "out" / "frames.jsonl").read_text().splitlines()[0])
    assert row["unseen2_coverage"] == 0.0
    assert row["unseen2_confidence"] is None


def test_a_failing_model_fails_the_video_and_leaves_no_result(tmp_path: Path, clip: Path, model: LoadedModel) -> None:
    broken = dataclasses.replace(model, choice=Choice(Broken()))
    with pytest.raises(InferenceFailed, match="failed on this video"):
        run(clip, tmp_path / "out", broken)
    assert not list((tmp_path / "out").glob("*.*"))


class Broken(FakeBackend):
    def run(self, frames: U8) -> U8:
        raise RuntimeError("the device is gone")


def test_a_video_without_one_whole_frame_is_undecodable(tmp_path: Path, model: LoadedModel) -> None:
    path = videos.damaged(tmp_path / "damaged.mp4", frames=6, every=1)
    with pytest.raises(UndecodableVideo):
        run(path, tmp_path / "out", model)


def test_progress_counts_up_to_the_last_frame(tmp_path: Path, clip: Path, model: LoadedModel) -> None:
    told: list[tuple[int, int]] = []
    process_file(clip, tmp_path / "out", model, OPTIONS, lambda done, total: told.append((done, total)))
    assert told == [(done, FRAMES) for done in range(1, FRAMES + 1)]
    assert np.all(np.diff([done for done, _ in told]) > 0)
