"""One decoder for several segments: started late, kept as long as all goes well, replaced after whatever went wrong."""

import dataclasses
import os
import signal
from pathlib import Path

import pytest

from service.errors import DecoderKilled
from service.video.decoding.index import Segment, plan_segments
from service.video.decoding.limits import DecoderLimits
from service.video.options import VideoOptions
from service.video.pipeline import prepare_work
from service.video.segments.segment import process_segment
from service.video.segments.shared_reader import SharedReader
from service.video.segments.work import VideoWork
from tests.support import videos
from tests.support.red import fake_model, write_red_package

OPTIONS = VideoOptions(segment_seconds=0.2, outputs=("frames",))


@pytest.fixture
def work(tmp_path: Path) -> VideoWork:
    model = fake_model(write_red_package(tmp_path / "models"))
    clip = videos.write_video(tmp_path / "clip.mp4", frames=15)
    folder = tmp_path / "work"
    folder.mkdir()
    return prepare_work(clip, folder, model, OPTIONS, DecoderLimits())


@pytest.fixture
def segments(work: VideoWork) -> list[Segment]:
    return plan_segments(work.index, OPTIONS)


def pid_of(reader: SharedReader, work: VideoWork) -> int:
    with reader.reading(work) as frames:
        return frames.process.pid


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_all_segments_have_the_same_decoder_and_it_ends_with_the_context(
    work: VideoWork, segments: list[Segment]
) -> None:
    with SharedReader() as reader:
        pids = set()
        for segment in segments:
            assert process_segment(work, segment, lambda _done: None, reader).damaged == []
            pids.add(pid_of(reader, work))
        assert len(segments) > 1
        assert len(pids) == 1
        assert is_alive(*pids)
    assert not is_alive(*pids)


def test_a_finished_segment_starts_no_decoder(work: VideoWork, segments: list[Segment]) -> None:
    process_segment(work, segments[0], lambda _done: None)
    nowhere = dataclasses.replace(work, source=work.folder / "gone.mp4")
    with SharedReader() as reader:
        process_segment(nowhere, segments[0], lambda _done: None, reader)
        with pytest.raises(FileNotFoundError):
            process_segment(nowhere, segments[1], lambda _done: None, reader)


def test_a_decoder_that_was_killed_is_told_and_the_next_try_has_another(
    work: VideoWork, segments: list[Segment]
) -> None:
    with SharedReader() as reader:
        killed = pid_of(reader, work)
        os.kill(killed, signal.SIGKILL)
        with pytest.raises(DecoderKilled):
            process_segment(work, segments[0], lambda _done: None, reader)
        assert process_segment(work, segments[0], lambda _done: None, reader).damaged == []
        assert pid_of(reader, work) != killed


class PulledPlugError(Exception):
    pass


def test_a_segment_that_is_dropped_in_its_middle_spoils_none_after_it(work: VideoWork, segments: list[Segment]) -> None:
    def pull_the_plug(_done: int) -> None:
        raise PulledPlugError

    with SharedReader() as reader:
        dropped = pid_of(reader, work)
        with pytest.raises(PulledPlugError):
            process_segment(work, segments[0], pull_the_plug, reader)
        assert not is_alive(dropped)
        for segment in segments:
            stats = process_segment(work, segment, lambda _done: None, reader)
            assert (stats.frames, stats.damaged) == (segment.last - segment.first, [])
