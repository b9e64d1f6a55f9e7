"""Which decoder gives a video's frames: proved by a clip that it decodes, never by a device's being there."""

import logging
from dataclasses import replace
from pathlib import Path

import pytest

from service.errors import DecoderUnavailable
from service.video.decoding.hardware import device_nodes
from service.video.decoding.index import plan_segments
from service.video.decoding.limits import DecoderLimits
from service.video.options import VideoOptions
from service.video.pipeline import prepare_work
from service.video.results.results import finish
from service.video.segments.decoder import choose_decoder
from service.video.segments.reader import FrameReader
from service.video.segments.segment import process_segment
from service.video.segments.shared_reader import SharedReader
from service.video.segments.work import VideoWork
from tests.support import videos
from tests.support.fenced_decoder import command
from tests.support.hostile_decoder import needs_fence
from tests.support.red import fake_model, write_red_package

AUTO, CUDA = DecoderLimits(decoder="auto"), DecoderLimits(decoder="cuda")
FRAMES = 20
OPTIONS = VideoOptions(segment_seconds=0.4, smoothing=3)


def a_device() -> list[str]:
    return ["/dev/zero"]


def no_device() -> list[str]:
    return []


@needs_fence
def test_hardware_that_decodes_a_clip_rightly_is_taken(tmp_path: Path) -> None:
    for limits in (AUTO, CUDA):
        assert choose_decoder(limits, command("works"), a_device) == "cuda"


def test_software_is_the_default_and_starts_nothing() -> None:
    assert choose_decoder(DecoderLimits(), ("/no/such/program",), a_device) == "software"


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
        choose_decoder(CUDA, command(trick), a_device)
    with caplog.at_level(logging.INFO):
        assert choose_decoder(AUTO, command(trick), a_device) == "software"
    assert reason in caplog.text


def test_without_a_device_no_process_is_started() -> None:
    assert choose_decoder(AUTO, ("/no/such/program",), no_device) == "software"
    with pytest.raises(DecoderUnavailable, match="there is no NVIDIA device"):
        choose_decoder(CUDA, ("/no/such/program",), no_device)


class FencedReader(SharedReader):
    """Its decoder is the stand-in for hardware."""

    def reader_of(self, work: VideoWork) -> FrameReader:
        size = work.info.height, work.info.width
        return FrameReader(work.source, work.index, size, work.limits, 1, command("works"), "cuda")


@needs_fence
def test_masks_rows_and_pictures_are_the_same_from_hardware_and_the_summary_tells_who_decoded(tmp_path: Path) -> None:
    model = fake_model(write_red_package(tmp_path / "models"))
    clip = videos.write_video(tmp_path / "clip.mp4", frames=FRAMES)
    counts = {}
    for name, reader in (("software", SharedReader()), ("hardware", FencedReader())):
        folder, out = tmp_path / name, tmp_path / f"{name}-results"
        folder.mkdir()
        out.mkdir()
        work = prepare_work(clip, folder, model, OPTIONS, DecoderLimits())
        segments = plan_segments(work.index, OPTIONS)
        assert len(segments) > 1
        with reader:
            for segment in segments:
                process_segment(work, segment, lambda _done: None, reader)
        counts[name] = finish(work, out).frames.decoded_in_hardware
    assert counts == {"software": 0, "hardware": FRAMES}
    for name in ("annotated.mp4", "frames.csv", "masks.zip"):
        assert (tmp_path / "software-results" / name).read_bytes() == (
            tmp_path / "hardware-results" / name
        ).read_bytes()
    told = f"{FRAMES} of {FRAMES} frames decoded by a GPU"
    assert told in (tmp_path / "hardware-results/report.html").read_text()
    assert "by a GPU" not in (tmp_path / "software-results/report.html").read_text()


@pytest.mark.skipif(bool(device_nodes()), reason="this machine has a GPU")
def test_a_job_that_asks_for_the_gpu_by_name_fails_without_it(tmp_path: Path) -> None:
    model = fake_model(write_red_package(tmp_path / "models"))
    clip = videos.write_video(tmp_path / "clip.mp4")
    with pytest.raises(DecoderUnavailable, match="no NVIDIA device"):
        prepare_work(clip, tmp_path, model, OPTIONS, CUDA)
    assert prepare_work(clip, tmp_path, model, OPTIONS, replace(AUTO, max_megapixels=1.0)).decoder == "software"
