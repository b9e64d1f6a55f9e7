"""Which encoder writes a video: proved by a picture that it encodes, never by its name in a list."""

from fractions import Fraction
from pathlib import Path

import av
import pytest

from service.errors import EncoderUnavailable
from service.video.decoding.planes import Colour, to_frame
from service.video.options import EncoderName
from service.video.segments.encoder import VideoFormat, choose_encoder, encodes
from service.video.segments.writer import SegmentWriter
from tests.support import videos
from tests.support.decoding import planes_of_frame

HARDWARE: tuple[EncoderName, ...] = ("h264_nvenc", "h264_qsv")


@pytest.mark.parametrize("name", HARDWARE)
def test_an_encoder_without_its_device_is_found_out_and_leaves_libx264(name: EncoderName) -> None:
    if encodes(name, 320, 240):
        pytest.skip(f"{name} works on this machine")
    with pytest.raises(EncoderUnavailable, match=f"{name} does not encode 320x240 here; ENDOMASK_VIDEO_ENCODER takes"):
        choose_encoder(name, 320, 240)


def test_auto_takes_the_first_encoder_that_works() -> None:
    working = [name for name in HARDWARE if encodes(name, 320, 240)]
    assert choose_encoder("auto", 320, 240) == [*working, "libx264"][0]
    assert choose_encoder("libx264", 320, 240) == "libx264"


def test_a_picture_that_an_encoder_does_not_take_is_found_out() -> None:
    assert not encodes("libx264", 1 << 15, 1 << 15)


def test_an_encoder_that_failed_once_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise ValueError("no session is left")

    with monkeypatch.context() as patched:
        patched.setattr("service.video.segments.encoder.set_up", refuse)
        assert not encodes("libx264", 322, 242)
    assert encodes("libx264", 322, 242)


def test_a_jump_finds_a_keyframe_within_two_seconds(tmp_path: Path) -> None:
    second = Fraction(1, 10)
    video = VideoFormat(128, 96, second, 1 / second, Fraction(1), Colour())
    writer = SegmentWriter(tmp_path / "part.mp4", video, threads=1)
    picture = planes_of_frame(av.VideoFrame.from_ndarray(videos.frame_at(0), format="rgb24"))
    for time in range(45):
        writer.write(to_frame(picture), time)
    writer.close()
    with av.open(str(tmp_path / "part.mp4")) as container:
        keys = [round(float(packet.pts * packet.time_base), 1) for packet in container.demux() if packet.is_keyframe]
    assert keys == [0.0, 2.0, 4.0]
