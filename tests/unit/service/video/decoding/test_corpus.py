"""Damaged and odd files: whatever can be decoded is, at its place, with Debian's ffmpeg as the witness."""

import hashlib
import subprocess
from pathlib import Path

import numpy as np
import pytest

from service.errors import EndomaskError, UndecodableVideo
from service.video.decoding.index import VideoIndex, plan_segments
from service.video.decoding.limits import DecoderLimits
from service.video.decoding.planes import Planes, to_rgb
from service.video.decoding.probe import VideoInfo
from service.video.options import VideoOptions
from service.video.results.damage import Damage, LostFrames, assess
from service.video.segments.reader import FrameReader, probe, survey
from tests.support import damage, videos
from tests.support.video_api import red_in

LIMITS = DecoderLimits(max_megapixels=1)
Read = tuple[VideoInfo, VideoIndex, dict[int, Planes]]


def read(path: Path) -> Read:
    """All that the service gets out of a file, in segments of half a second."""
    info, index = survey(path, LIMITS)
    found: dict[int, Planes] = {}
    with FrameReader(path, index, (info.height, info.width), LIMITS, 1) as reader:
        for segment in plan_segments(index, VideoOptions(segment_seconds=0.5)):
            found |= dict(reader.read(segment))
    return info, index, found


def assessed(path: Path) -> tuple[Damage, int]:
    """What is reported, and how many frames there are."""
    info, index, found = read(path)
    return assess(info, index, sorted(set(range(len(index))) - set(found)), whole=True), len(found)


def witness(path: Path, pixel_format: str) -> list[str]:
    """MD5 of every frame that Debian's ffmpeg decodes, as packed planes."""
    options = ("-map", "0:v:0", "-fps_mode", "passthrough", "-pix_fmt", pixel_format, "-f", "framemd5", "-")
    command = ["ffmpeg", "-v", "quiet", "-i", str(path), *options]
    lines = subprocess.run(command, check=False, capture_output=True, text=True).stdout.splitlines()
    return [line.split(",")[-1].strip() for line in lines if not line.startswith("#")]


def md5(planes: Planes) -> str:
    packed = planes.y.tobytes() + planes.u.tobytes() + planes.v.tobytes()
    return hashlib.md5(packed, usedforsecurity=False).hexdigest()


def box_left(planes: Planes) -> int | None:
    """Left edge of the red box in pixels; None when no box of its size is seen."""
    red = red_in(to_rgb(planes))
    whole_box = (videos.HEIGHT // 3) * (videos.WIDTH // 3)
    columns = np.flatnonzero(red.sum(axis=0) > videos.HEIGHT // 6)
    return int(columns[0]) if len(columns) and abs(int(red.sum()) - whole_box) < whole_box // 4 else None


WHOLE = [
    "cut-off.ts", "cut-off.mkv", "without-keyframe-list.mp4", "false-keyframes.mp4", "without-index.avi",
    "false-index.avi", "joined.ts", "ten-hours-late.mp4", "ten-hours-late.mkv", "without-duration.mp4",
    "one-frame.mp4", "one-frame.mkv", "paused.mp4",
]  # fmt: skip
"""Each of their stored frames can be decoded."""


@pytest.mark.parametrize("name", WHOLE)
def test_a_file_whose_frames_are_whole_gives_all_that_ffmpeg_gives_in_its_order(tmp_path: Path, name: str) -> None:
    path = damage.DECODABLE[name](tmp_path / name)
    _, index, found = read(path)
    assert [md5(found[number]) for number in sorted(found)] == witness(path, "yuv420p")
    assert len(found) == len(index)


HOLED = [
    "cut-off-with-index.mp4", "holed.ts", "holed.mkv", "holed.mp4", "holed.avi", "without-first-keyframe.mkv",
    "without-first-keyframe.ts", "without-middle-keyframe.mkv",
]  # fmt: skip


@pytest.mark.parametrize("name", HOLED)
def test_of_a_file_with_holes_nearly_all_that_ffmpeg_gives_is_given_and_the_rest_is_reported(
    tmp_path: Path, name: str
) -> None:
    path = damage.DECODABLE[name](tmp_path / name)
    info, index, found = read(path)
    expected = witness(path, "yuv420p")
    given = {md5(planes) for planes in found.values()}
    assert (
        len(given.intersection(expected)) >= len(set(expected)) - 2
    )  # frames that ffmpeg shows though it patched them
    lost = sorted(set(range(len(index))) - set(found))
    told = assess(info, index, lost, whole=True)
    assert told.any
    assert sum(entry.frames or 0 for entry in told.undecodable) == len(lost) == len(index) - len(found)


@pytest.mark.parametrize("name", [name for name in HOLED if not name.endswith(".avi")])
def test_frames_behind_a_hole_keep_their_times(tmp_path: Path, name: str) -> None:
    """The box moves two pixels a frame: where it stands tells which frame is seen.

    Frames that lean on lost ones may show the box where it was before; from the next keyframe on all is as it was.
    """
    path = damage.DECODABLE[name](tmp_path / name)
    _, index, found = read(path)
    begins_at = 4 if "first-keyframe" in name else 0
    times = np.round(index.times * float(index.time_base) * videos.FPS).astype(int) + begins_at
    seen = {int(times[number]): box_left(planes) for number, planes in found.items()}
    room = videos.WIDTH - videos.WIDTH // 3
    wrong = [time for time, left in seen.items() if left is not None and abs(left - (8 + 2 * time) % room) > 2]
    assert len(wrong) <= damage.GROUP, wrong
    assert not wrong or wrong[-1] - wrong[0] < 2 * damage.GROUP, wrong


def test_a_stream_that_changes_its_size_goes_on_at_the_first(tmp_path: Path) -> None:
    path = damage.of_two_sizes(tmp_path / "two-sizes.ts")
    _, _, found = read(path)
    assert len(found) == len(witness(path, "yuv420p")) == 2 * videos.FRAMES
    assert {planes.y.shape for planes in found.values()} == {(videos.HEIGHT, videos.WIDTH)}
    assert all(box_left(planes) is not None for planes in found.values())


def test_frames_with_exchanged_times_are_shown_in_the_order_in_which_they_are_stored(tmp_path: Path) -> None:
    path = damage.out_of_order(tmp_path / "out-of-order.mkv")
    _, index, found = read(path)
    assert [md5(found[number]) for number in sorted(found)] == witness(path, "yuvj420p")
    assert index.repaired
    assert index.times.tolist() == sorted(set(index.times.tolist()))


def test_joined_recordings_follow_each_other_in_time(tmp_path: Path) -> None:
    info, index, found = read(damage.joined(tmp_path / "joined.ts"))
    assert len(found) == 2 * damage.FRAMES
    assert index.duration_s == pytest.approx(2 * damage.FRAMES / videos.FPS, abs=0.1)
    told = assess(info, index, [], whole=True)
    assert told.times_repaired
    assert told.gaps == []


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("cut-off.mkv", LostFrames(1.2, 2.4, None)),
        ("cut-off-with-index.mp4", LostFrames(0.84, 2.4, 39)),
    ],
)
def test_a_cut_off_file_tells_what_is_missing(tmp_path: Path, name: str, expected: LostFrames) -> None:
    told, _ = assessed(damage.DECODABLE[name](tmp_path / name))
    assert told.missing_at_end == expected


def test_a_pause_in_the_recording_is_told_with_its_time(tmp_path: Path) -> None:
    told, _ = assessed(damage.paused(tmp_path / "paused.mp4"))
    assert told.gaps == [LostFrames(0.24, 2.24, 50)]
    assert told.undecodable == []


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_a_video_that_begins_at_ten_hours_lasts_as_long_as_its_frames(tmp_path: Path, suffix: str) -> None:
    info = probe(damage.ten_hours_late(tmp_path / f"late.{suffix}"), LIMITS)
    assert info.duration_s == pytest.approx(videos.FRAMES / videos.FPS, abs=0.05)


@pytest.mark.parametrize("name", damage.UNDECODABLE)
def test_what_holds_no_picture_stream_is_undecodable_with_a_reason(tmp_path: Path, name: str) -> None:
    with pytest.raises(UndecodableVideo, match=r"not a readable video|no video stream, only"):
        probe(damage.UNDECODABLE[name](tmp_path / name), LIMITS)


def test_an_attached_picture_is_called_so(tmp_path: Path) -> None:
    with pytest.raises(UndecodableVideo, match="only an attached picture, audio"):
        probe(damage.cover_only(tmp_path / "cover.m4a"), LIMITS)


SEED, MUTANTS = 20261121, 30


@pytest.mark.timeout(300)  # thirty files, each in up to three processes
def test_whatever_bytes_are_flipped_there_is_a_result_or_a_sentence(tmp_path: Path) -> None:
    print(f"seed {SEED}")  # noqa: T201
    random = np.random.default_rng(SEED)
    clips = [
        videos.write_variant(tmp_path, name).read_bytes() for name in ("h264.mp4", "h264.ts", "mpeg4.avi", "vp9.webm")
    ]
    read_whole = refused = 0
    for number in range(MUTANTS):
        data = bytearray(clips[number % len(clips)])
        for place in random.integers(len(data), size=int(random.choice([1, 10, 100]))):
            data[place] ^= 1 << int(random.integers(8))
        path = tmp_path / "mutant.bin"
        path.write_bytes(data)
        try:
            _, index, found = read(path)
        except EndomaskError as error:
            refused += bool(str(error))
        else:
            read_whole += 1
            assert set(found) <= set(range(len(index))), number
    assert read_whole + refused == MUTANTS
    assert read_whole > MUTANTS // 3
