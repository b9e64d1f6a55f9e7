"""Index, segments and reader: every frame once, in order, whatever the container."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from service.errors import TooManyPixels, UndecodableVideo
from service.video.decoding.container import open_video
from service.video.decoding.index import Segment, VideoIndex, plan_segments
from service.video.decoding.limits import DecoderLimits
from service.video.options import VideoOptions
from service.video.segments.reader import index_video, probe, read_frames
from tests.support import videos
from tests.support.running import encode

LONG = 60
LIMITS = DecoderLimits(max_megapixels=1)


def read(path: Path, index: VideoIndex, segment: Segment, threads: int = 1) -> dict[int, bytes]:
    """Frame index -> its luma."""
    size = (videos.HEIGHT, videos.WIDTH)
    return {n: planes.y.tobytes() for n, planes in read_frames(path, index, segment, size, LIMITS, threads)}


def whole(path: Path) -> list[bytes]:
    """Luma of all frames, decoded from the beginning without our reader."""
    with av.open(str(path)) as container:
        frames = (frame.reformat(format="yuv420p") for frame in container.decode(video=0))
        return [frame.to_ndarray()[: frame.height].tobytes() for frame in frames]


@pytest.mark.parametrize("name", videos.VARIANTS)
def test_segments_read_apart_give_every_frame_once_as_decoding_it_all_does(tmp_path: Path, name: str) -> None:
    path = videos.write_variant(tmp_path, name, frames=LONG)
    index = index_video(path, LIMITS)
    segments = plan_segments(index, VideoOptions(segment_seconds=0.5))
    expected = whole(path)
    assert len(index) == len(expected) == LONG
    assert index.duration_s == pytest.approx(LONG / videos.FPS, abs=1e-3)
    assert len(segments) > 2
    for segment in reversed(segments):
        found = read(path, index, segment)
        assert list(found) == list(range(segment.first, segment.last))
        assert list(found.values()) == expected[segment.first : segment.last]


def test_decoder_threads_change_nothing(tmp_path: Path) -> None:
    path = videos.write_variant(tmp_path, "h264.mp4", frames=LONG)
    index = index_video(path, LIMITS)
    segment = Segment(0, 20, 50)
    assert read(path, index, segment, threads=1) == read(path, index, segment, threads=3)


def test_times_are_the_files_own_from_zero_and_strictly_ascending(tmp_path: Path) -> None:
    index = index_video(videos.variable_rate(tmp_path / "variable.mp4"), LIMITS)
    assert [float(time * index.time_base) * 1000 for time in index.times] == pytest.approx(list(videos.IRREGULAR_MS))
    doubled = VideoIndex(np.array([5, 7, 7, 7, 9]), np.array([0]), Fraction(1, 25), 2, ordinal=False)
    assert doubled.times.tolist() == [0, 2, 3, 4, 5]


def test_an_index_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    index = index_video(videos.write_video(tmp_path / "clip.mp4"), LIMITS)
    index.save(tmp_path / "index.npz")
    loaded = VideoIndex.load(tmp_path / "index.npz")
    assert loaded.stamps.tolist() == index.stamps.tolist()
    assert (loaded.time_base, loaded.last_duration, loaded.ordinal) == (
        index.time_base,
        index.last_duration,
        index.ordinal,
    )


def fixed_rate(frames: int, keyframes: list[int]) -> VideoIndex:
    return VideoIndex(np.arange(frames), np.array(keyframes), Fraction(1, 25), 1, ordinal=False)


def test_segments_begin_at_keyframes_where_these_come_in_time() -> None:
    segments = plan_segments(fixed_rate(100, [0, 30, 60, 90]), VideoOptions(segment_seconds=1))
    assert [(part.first, part.last) for part in segments] == [(0, 30), (30, 60), (60, 90), (90, 100)]


def test_segments_are_cut_without_keyframes_too() -> None:
    segments = plan_segments(fixed_rate(60, [0]), VideoOptions(segment_seconds=1))
    assert [(part.first, part.last) for part in segments] == [(0, 25), (25, 50), (50, 60)]


@pytest.mark.parametrize("step", [2, 7, 40])
def test_every_segment_begins_with_a_frame_that_is_segmented(step: int) -> None:
    segments = plan_segments(fixed_rate(200, [0, 30, 60, 90]), VideoOptions(segment_seconds=1, frame_step=step))
    assert all(part.first % step == 0 for part in segments)
    assert [part.first for part in segments[1:]] == [part.last for part in segments[:-1]]


def test_only_the_first_frames_are_indexed_when_asked(tmp_path: Path) -> None:
    path = videos.write_variant(tmp_path, "h264.mp4", frames=LONG)
    index = index_video(path, LIMITS, max_frames=7)
    assert list(read(path, index, Segment(0, 0, 7))) == list(range(7))
    assert len(index) == 7


def test_lost_frames_are_missing_and_the_others_keep_their_index(tmp_path: Path) -> None:
    path = videos.damaged(tmp_path / "damaged.mp4")
    found = read(path, index_video(path, LIMITS), Segment(0, 0, 50))
    expected = whole(videos.write_video(tmp_path / "intact.mp4", "mpeg4", frames=50))
    assert 0 < len(found) < 50
    assert found[0] == expected[0]
    assert set(range(9)) <= set(found)


def test_what_a_video_says_of_itself(tmp_path: Path) -> None:
    info = probe(videos.rotated(tmp_path / "rotated.mp4", 90), LIMITS)
    assert (info.container, info.codec, info.width, info.height, info.rotation) == ("mov", "h264", 96, 128, 90)
    assert (info.frame_rate, info.frames, info.duration_s) == (25.0, 12, 0.48)


def test_too_many_pixels_are_refused_from_the_header(tmp_path: Path) -> None:
    path = videos.write_video(tmp_path / "clip.mp4")
    with pytest.raises(TooManyPixels, match=r"128x96 .* limit is 0.01 MP"):
        probe(path, DecoderLimits(max_megapixels=0.01))


@pytest.mark.parametrize("suffix", ["m3u8", "ffconcat", "mp4"])
def test_neither_name_nor_contents_make_a_playlist_open_other_files(tmp_path: Path, suffix: str) -> None:
    target = videos.write_variant(tmp_path, "h264.ts")
    for make in (videos.hls_playlist, videos.concat_playlist):
        path = make(tmp_path / f"list.{suffix}", [target.name, str(target)])
        with path.open("rb") as file, pytest.raises(UndecodableVideo), open_video(file):
            pass


def test_a_picture_is_no_video(tmp_path: Path) -> None:
    path = tmp_path / "picture.mp4"
    path.write_bytes(encode(videos.frame_at(0), ".jpg"))
    with path.open("rb") as file, pytest.raises(UndecodableVideo), open_video(file):
        pass


def test_sound_alone_is_no_video(tmp_path: Path) -> None:
    with pytest.raises(UndecodableVideo, match="only audio"):
        probe(videos.audio_only(tmp_path / "tone.mp4"), LIMITS)
