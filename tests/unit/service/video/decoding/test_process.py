"""What a decoder that has gone wild can do to the service: nothing but end its own job with a sentence."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from service.errors import DecoderCrashed, DecoderKilled, DecoderLimit, EndomaskError, UndecodableVideo
from service.video.decoding.index import Segment, VideoIndex
from service.video.decoding.limits import DecoderLimits
from service.video.decoding.planes import Planes
from service.video.segments.reader import FrameReader, index_video, probe, read_frames
from tests.support import hostile_decoder, videos
from tests.support.waiting import until

SIZE = (videos.HEIGHT, videos.WIDTH)
WHOLE = Segment(0, 0, videos.FRAMES)
INDEX = VideoIndex(np.arange(videos.FRAMES), np.array([0]), Fraction(1, 25), 1, ordinal=False)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return videos.write_video(tmp_path_factory.mktemp("clips") / "clip.mp4")


def read_hostile(clip: Path, trick: str, limits: DecoderLimits) -> list[tuple[int, Planes]]:
    with FrameReader(clip, INDEX, SIZE, limits, 1, hostile_decoder.command(trick)) as reader:
        return list(reader.read(WHOLE))


@pytest.mark.parametrize(
    ("trick", "error", "sentence"),
    [
        ("segfault", DecoderCrashed, "SIGSEGV"),
        ("killed", DecoderKilled, "SIGKILL"),
        ("exits", DecoderKilled, "return code 3"),
        ("stands_still", DecoderLimit, r"more than 0.3 s .*ENDOMASK_DECODER_FRAME_SECONDS"),
        ("never_ends", DecoderLimit, r"more than 0.5 s .*ENDOMASK_DECODER_CPU_SECONDS"),
        ("sleeps", DecoderKilled, "no sign of life for 1.2 s"),
        ("stops_in_a_word", DecoderKilled, "no sign of life for 1.2 s"),
        ("lies_about_the_frame", DecoderCrashed, "makes no sense"),
        ("talks_nonsense", DecoderCrashed, "makes no sense"),
        ("talks_endlessly", DecoderCrashed, "makes no sense"),
    ],
)
def test_whatever_the_decoder_does_the_service_is_told(
    clip: Path, trick: str, error: type[EndomaskError], sentence: str
) -> None:
    silence_seconds = 1.2 if "no sign of life" in sentence else 100
    limits = DecoderLimits(frame_seconds=0.3, cpu_seconds=0.5, silence_seconds=silence_seconds)
    with pytest.raises(error, match=sentence) as caught:
        read_hostile(clip, trick, limits)
    assert type(caught.value) is error


def test_memory_ends_at_the_limit(clip: Path) -> None:
    with pytest.raises(UndecodableVideo) as caught:
        read_hostile(clip, "hoards", DecoderLimits(memory_megabytes=100))
    assert 50 < int(str(caught.value).removesuffix(" MB")) <= 100


def test_no_file_no_socket_and_no_setting_is_within_reach(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENDOMASK_DATABASE_URL", "postgresql://user:password@host/jobs")
    with pytest.raises(UndecodableVideo, match=r"^did \[\], knows ") as caught:
        read_hostile(clip, "reaches_out", DecoderLimits())
    assert "ENDOMASK" not in str(caught.value)


@pytest.mark.parametrize("what", ["probe", "index", "frames"])
def test_a_video_that_takes_more_memory_than_allowed_is_refused_with_the_setting(clip: Path, what: str) -> None:
    limits = DecoderLimits(memory_megabytes=0)
    ask = {
        "probe": lambda: probe(clip, limits),
        "index": lambda: index_video(clip, limits),
        "frames": lambda: list(read_frames(clip, INDEX, WHOLE, SIZE, limits, 1)),
    }
    with pytest.raises(DecoderLimit, match=r"more than 0 MB .*ENDOMASK_DECODER_MEMORY_MEGABYTES"):
        ask[what]()


def test_the_decoder_dies_with_the_service(clip: Path) -> None:
    script = f"""
import time
from pathlib import Path
from service.video.decoding.limits import DecoderLimits
from service.video.decoding.process import DecoderProcess
from tests.support import hostile_decoder
command = hostile_decoder.command("answers_and_sleeps")
with DecoderProcess(Path({str(clip)!r}), DecoderLimits(), None, command) as decoder:
    decoder.send(b"{{}}")
    decoder.receive()
    print(decoder.pid, flush=True)
    time.sleep(600)
"""
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, cwd=hostile_decoder.ROOT) as service:
        assert service.stdout is not None
        decoder = int(service.stdout.readline())
        assert "hostile_decoder" in command_of(decoder)
        service.kill()
    asyncio.run(until(lambda: not command_of(decoder)))


def command_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def test_a_decoder_that_is_killed_between_two_frames_ends_its_own_read_only(clip: Path) -> None:
    limits = DecoderLimits()
    index = index_video(clip, limits)
    with (
        FrameReader(clip, index, SIZE, limits, 1) as first,
        FrameReader(clip, index, SIZE, limits, 1) as second,
    ):
        doomed, spared = first.read(WHOLE), second.read(WHOLE)
        next(doomed), next(spared)
        os.kill(first.process.pid, signal.SIGKILL)
        with pytest.raises(DecoderKilled, match="SIGKILL"):
            list(doomed)
        assert len(list(spared)) == videos.FRAMES - 1


def test_frames_stay_as_they_are_when_later_ones_come(clip: Path) -> None:
    limits = DecoderLimits()
    index = index_video(clip, limits)
    kept: list[Planes] = []
    copies: list[bytes] = []
    for _, planes in read_frames(clip, index, WHOLE, SIZE, limits, 1):
        kept.append(planes)
        copies.append(planes.y.tobytes())
    assert [planes.y.tobytes() for planes in kept] == copies
    assert len(set(copies)) == videos.FRAMES


def test_leaving_in_the_middle_leaves_no_process_and_no_thread(clip: Path) -> None:
    before = set(threading.enumerate())
    with FrameReader(clip, INDEX, SIZE, DecoderLimits(), 1) as reader:
        next(reader.read(WHOLE))
        pid = reader.process.pid
    assert command_of(pid) == ""
    assert set(threading.enumerate()) <= before
