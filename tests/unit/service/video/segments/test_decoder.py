"""Which decoder gives a video's frames: proved by a clip that it decodes, never by a device's being there."""

import logging
import time
from pathlib import Path

import pytest

from service.errors import DecoderCrashed, DecoderUnavailable
from service.video.decoding.index import plan_segments
from service.video.decoding.limits import DecoderLimits
from service.video.options import VideoOptions
from service.video.pipeline import prepare_work
from service.video.results.results import finish
from service.video.results.summary import Summary
from service.video.segments.decoder import choose_decoder
from service.video.segments.reader import FrameReader
from service.video.segments.segment import process_segment
from service.video.segments.shared_reader import SharedReader
from service.video.segments.work import VideoWork
from service.video.workers.failures import is_transient
from tests.support import videos
from tests.support.fenced_decoder import command
from tests.support.hostile_decoder import needs_fence
from tests.support.red import fake_model, write_red_package

AUTO, CUDA = DecoderLimits(decoder="auto"), DecoderLimits(decoder="cuda")
FRAMES = 20
"""Of two segments."""
OPTIONS = VideoOptions(segment_seconds=0.4, smoothing=3)
RESULTS = ("annotated.mp4", "frames.csv", "masks.zip")


def a_device() -> list[str]:
    return ["/dev/zero"]


def in_some_minutes() -> float:
    return time.monotonic() + 600


def no_device() -> list[str]:
    return []


@needs_fence
def test_hardware_that_decodes_a_clip_rightly_is_taken(tmp_path: Path) -> None:
    for limits in (AUTO, CUDA):
        assert choose_decoder(limits, "h264", command("works"), a_device) == "cuda"


def test_software_is_the_default_and_starts_nothing() -> None:
    assert choose_decoder(DecoderLimits(), "h264", ("/no/such/program",), a_device) == "software"


@needs_fence
@pytest.mark.parametrize(
    ("trick", "reason"),
    [
        ("decodes_wrong", "its pictures are not those of the software decoder"),
        ("falls_back", "its pictures are not those of the software decoder"),
        ("does_not_start", "the stand-in has no memory left"),
        ("segfault", "SIGSEGV"),
    ],
)
def test_hardware_that_does_not_decode_rightly_is_refused_by_name_and_passed_over_by_auto(
    trick: str, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(DecoderUnavailable, match=f"cuda does not work here: .*{reason}.*ENDOMASK_VIDEO_DECODER takes"):
        choose_decoder(CUDA, "h264", command(trick), a_device)
    with caplog.at_level(logging.INFO):
        assert choose_decoder(AUTO, "h264", command(trick), a_device, in_some_minutes) == "software"
    assert reason in caplog.text


def test_without_a_device_no_process_is_started() -> None:
    assert choose_decoder(AUTO, "h264", ("/no/such/program",), no_device) == "software"
    with pytest.raises(DecoderUnavailable, match="there is no NVIDIA device"):
        choose_decoder(CUDA, "h264", ("/no/such/program",), no_device)


def summary_of(folder: Path, limits: DecoderLimits, reader: SharedReader, name: str = "h264.mp4") -> Summary:
    """Of a video whose segments are all decoded by `reader`; its results lie in `folder`."""
    work = work_on(folder, limits, name)
    with reader:
        for segment in plan_segments(work.index, OPTIONS):
            process_segment(work, segment, lambda _done: None, reader)
    return finish(work, folder)


def work_on(folder: Path, limits: DecoderLimits, name: str = "h264.mp4") -> VideoWork:
    segments = folder / "segments"
    segments.mkdir(parents=True)
    model = fake_model(write_red_package(folder / "models"))
    clip = videos.write_variant(folder, name, frames=FRAMES)
    return prepare_work(clip, segments, model, OPTIONS, limits)


@needs_fence
def test_masks_rows_and_pictures_are_the_same_from_hardware_and_the_summary_tells_who_decoded(tmp_path: Path) -> None:
    found = {}
    for name, limits in (("software", DecoderLimits()), ("hardware", AUTO)):
        summary = summary_of(tmp_path / name, limits, SharedReader(command("works"), a_device))
        found[name] = summary.frames.decoded_in_hardware
    assert found == {"software": 0, "hardware": FRAMES}
    for name in RESULTS:
        assert (tmp_path / "software" / name).read_bytes() == (tmp_path / "hardware" / name).read_bytes()
    told = f"{FRAMES} of {FRAMES} frames decoded by a GPU"
    assert told in (tmp_path / "hardware/report.html").read_text()
    assert "by a GPU" not in (tmp_path / "software/report.html").read_text()


@needs_fence
def test_a_gpu_that_is_full_after_it_was_proved_leaves_the_video_to_software_for_some_minutes(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    full = tmp_path / "full"
    how = command("full_when_told", str(full))
    assert choose_decoder(AUTO, "h264", how, a_device) == "cuda"
    full.touch()
    with caplog.at_level(logging.WARNING):
        assert summary_of(tmp_path / "video", AUTO, SharedReader(how, a_device)).frames.decoded_in_hardware == 0
    assert "decoded again, in software: the stand-in has no memory left now" in caplog.text
    full.unlink()
    assert choose_decoder(AUTO, "h264", how, a_device) == "software"
    assert choose_decoder(AUTO, "h264", how, a_device, in_some_minutes) == "cuda"


@needs_fence
def test_a_gpu_that_was_full_once_is_asked_again_at_once_by_name(tmp_path: Path) -> None:
    full = tmp_path / "full"
    full.touch()
    how = command("full_when_told", str(full))
    assert choose_decoder(AUTO, "h264", how, a_device) == "software"
    full.unlink()
    assert choose_decoder(CUDA, "h264", how, a_device) == "cuda"


@needs_fence
def test_a_gpu_that_is_full_and_was_asked_for_by_name_fails_the_segment_which_is_tried_again(tmp_path: Path) -> None:
    full = tmp_path / "full"
    how = command("full_when_told", str(full))
    work = work_on(tmp_path / "video", CUDA)
    segment = plan_segments(work.index, OPTIONS)[0]
    with SharedReader(how, a_device) as reader:
        assert choose_decoder(CUDA, "h264", how, a_device) == "cuda"
        full.touch()
        with pytest.raises(DecoderUnavailable, match="no memory left now") as caught:
            process_segment(work, segment, lambda _done: None, reader)
        assert is_transient(caught.value)
        full.unlink()
        stats = process_segment(work, segment, lambda _done: None, reader)
    assert stats.decoded_in_hardware == stats.frames > 0


@needs_fence
@pytest.mark.parametrize("limits", [AUTO, CUDA], ids=["auto", "cuda"])
def test_a_driver_that_crashes_on_a_file_leaves_it_to_software(
    tmp_path: Path, limits: DecoderLimits, caplog: pytest.LogCaptureFixture
) -> None:
    assert choose_decoder(limits, "h264", command("crashes_on_videos"), a_device) == "cuda"
    with caplog.at_level(logging.WARNING):
        reader = SharedReader(command("crashes_on_videos"), a_device)
        assert summary_of(tmp_path / "hardware", limits, reader).frames.decoded_in_hardware == 0
    assert caplog.text.count("decoded again, in software") == 1
    summary_of(tmp_path / "software", DecoderLimits(), SharedReader())
    for name in RESULTS:
        assert (tmp_path / "software" / name).read_bytes() == (tmp_path / "hardware" / name).read_bytes()


def test_a_file_on_which_software_crashes_is_not_decoded_again(tmp_path: Path) -> None:
    work = work_on(tmp_path, AUTO)
    made = []

    def crash(reader: FrameReader) -> None:
        made.append(reader)
        raise DecoderCrashed("it crashes")

    with SharedReader(("/no/such/program",), no_device) as reader, pytest.raises(DecoderCrashed):
        reader.with_frames(work, crash)
    assert len(made) == 1


def test_a_codec_that_leaves_the_rounding_to_the_decoder_is_softwares(tmp_path: Path) -> None:
    reader = SharedReader(("/no/such/program",), a_device)
    assert summary_of(tmp_path, CUDA, reader, "mjpeg.avi").frames.decoded_in_hardware == 0


def test_a_gpu_that_is_not_there_fails_the_first_segment_and_no_step_that_decodes_nothing(tmp_path: Path) -> None:
    work = work_on(tmp_path, CUDA)
    with (
        SharedReader(find_devices=no_device) as reader,
        pytest.raises(DecoderUnavailable, match="no NVIDIA device"),
    ):
        process_segment(work, plan_segments(work.index, OPTIONS)[0], lambda _done: None, reader)
