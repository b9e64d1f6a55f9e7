"""One segment by itself: its files, its numbers, and the decoder that it shares with its neighbours."""

import itertools
import json
from dataclasses import replace
from pathlib import Path
from threading import Event

import pytest

from service.backends.choice import Choice
from service.errors import EncoderUnavailable
from service.imaging.geometry import U8
from service.loading import LoadedModel
from service.video.decoding.index import plan_segments
from service.video.decoding.limits import DecoderLimits
from service.video.options import VideoOptions
from service.video.pipeline import prepare_work
from service.video.segments.encoder import encodes
from service.video.segments.segment import SegmentStats, process_segment
from service.video.segments.shared_reader import SharedReader
from service.video.segments.work import VideoWork
from tests.support import videos
from tests.support.red import FakeBackend, fake_model, write_red_package

FRAMES = 20
OPTIONS = VideoOptions(segment_seconds=0.2, outputs=("annotated", "frames", "masks"))


@pytest.fixture
def model(tmp_path: Path) -> LoadedModel:
    return fake_model(write_red_package(tmp_path / "models"))


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return videos.write_video(tmp_path / "clip.mp4", frames=FRAMES)


def prepare(folder: Path, clip: Path, model: LoadedModel, options: VideoOptions = OPTIONS) -> VideoWork:
    folder.mkdir(exist_ok=True)
    return prepare_work(clip, folder, model, options, DecoderLimits())


def test_segments_come_out_the_same_from_one_decoder_and_from_one_each(
    tmp_path: Path, clip: Path, model: LoadedModel
) -> None:
    alone, together = prepare(tmp_path / "alone", clip, model), prepare(tmp_path / "together", clip, model)
    segments = plan_segments(alone.index, OPTIONS)
    assert len(segments) > 1
    with SharedReader() as reader:
        for segment in segments:
            process_segment(alone, segment, lambda _done: None)
            process_segment(together, segment, lambda _done: None, reader)
    for segment in segments:
        for name in ("rows.jsonl", "masks.zip", "annotated.mp4"):
            path = Path(segment.name) / name
            assert (tmp_path / "alone" / path).read_bytes() == (tmp_path / "together" / path).read_bytes(), path


class HastyBackend(FakeBackend):
    """Two lanes; every other run has to wait for the one that was begun after it."""

    lanes = 2

    def __init__(self) -> None:
        super().__init__()
        self._runs = itertools.count()
        self._later_is_done = [Event() for _ in range(FRAMES)]

    def run(self, frames: U8) -> U8:
        number = next(self._runs)
        if number % 2 == 0 and number + 1 < FRAMES:
            assert self._later_is_done[number].wait(60)
        done = super().run(frames)
        if number % 2:
            self._later_is_done[number - 1].set()
        return done


def test_lanes_change_neither_the_order_nor_the_numbers(tmp_path: Path, clip: Path, model: LoadedModel) -> None:
    options = replace(OPTIONS, segment_seconds=10.0)
    hasty = replace(model, choice=Choice(HastyBackend()))
    for name, loaded in (("alone", model), ("lanes", hasty)):
        work = prepare(tmp_path / name, clip, loaded, options)
        stats = process_segment(work, plan_segments(work.index, options)[0], lambda _done: None)
        assert stats.segmented == FRAMES
    for name in ("rows.jsonl", "masks.zip", "annotated.mp4"):
        files = [tmp_path / folder / "00000" / name for folder in ("alone", "lanes")]
        assert files[0].read_bytes() == files[1].read_bytes(), name


def test_a_segment_tells_what_each_stage_took(tmp_path: Path, clip: Path, model: LoadedModel) -> None:
    work = prepare(tmp_path / "work", clip, model)
    stats = process_segment(work, plan_segments(work.index, OPTIONS)[0], lambda _done: None)
    stages = {"decode", "prepare", "infer", "measure", "masks", "annotate", "encode", "libraries", "decoder"}
    assert set(stats.stage_seconds) == set(stats.stage_cpu_seconds) == stages
    assert all(seconds > 0 for seconds in stats.stage_cpu_seconds.values())
    assert SegmentStats.load(tmp_path / "work" / "00000" / "stats.json") == stats


def test_what_is_not_asked_for_is_not_made(tmp_path: Path, clip: Path, model: LoadedModel) -> None:
    work = prepare(tmp_path / "work", clip, model, VideoOptions(outputs=("frames",)))
    stats = process_segment(work, plan_segments(work.index, work.options)[0], lambda _done: None)
    made = sorted(path.name for path in (tmp_path / "work" / "00000").iterdir())
    assert made == ["edges.npz", "rows.jsonl", "stats.json"]
    assert stats.frames == stats.segmented == FRAMES


def test_whoever_comes_later_takes_the_encoder_that_the_first_one_chose(
    tmp_path: Path, clip: Path, model: LoadedModel
) -> None:
    first = prepare(tmp_path / "work", clip, model)
    kept = tmp_path / "work" / "encoder.json"
    assert json.loads(kept.read_text()) == first.encoder
    lacking = next((name for name in ("h264_nvenc", "h264_qsv") if not encodes(name, 128, 96)), None)
    if lacking is None:
        pytest.skip("this machine has every encoder")
    kept.write_text(json.dumps(lacking))
    with pytest.raises(EncoderUnavailable, match=lacking):
        prepare(tmp_path / "work", clip, model)
