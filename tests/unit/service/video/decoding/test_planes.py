"""Planes against FFmpeg's own conversion and geometry.prepare."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from av.video.codeccontext import VideoCodecContext

from service.imaging.geometry import Filter, InputSpec, prepare
from service.video.decoding.planes import Colour, Planes, to_frame, to_model_input
from tests.support import videos
from tests.support.decoding import first_frame, planes_of_frame


@pytest.mark.parametrize("space", [0, 1, 5, 9])
@pytest.mark.parametrize("full", [False, True])
def test_the_way_to_yuv_and_back_changes_nothing(space: int, full: bool) -> None:
    colour = Colour(space=space, range=2 if full else 1)
    rgb = np.array([[255, 255, 255, 1], [0, 0, 0, 1], [230, 20, 20, 1], [10, 200, 90, 1]], np.float32)
    yuv = rgb @ colour.from_rgb().T
    back = np.column_stack([yuv, np.ones(len(yuv))]) @ colour.to_rgb().T
    assert back == pytest.approx(rgb[:, :3], abs=0.01)
    assert yuv[0] == pytest.approx([255 if full else 235, 128, 128], abs=0.01)


@pytest.mark.parametrize(
    ("name", "usual", "largest"),
    [("h264.mp4", 1, 6), ("mjpeg.avi", 1, 6), ("hevc-10bit.mkv", 2, 8), ("vp9.webm", 1, 6)],
)
@pytest.mark.parametrize("resize", ["stretch", "letterbox"])
def test_the_models_input_is_what_prepare_makes_of_the_frame_in_rgb(
    tmp_path: Path, name: str, usual: int, largest: int, resize: str
) -> None:
    frame = first_frame(videos.write_variant(tmp_path, name))
    spec = InputSpec(48, 80, resize)  # type: ignore[arg-type]
    found = to_model_input(planes_of_frame(frame), spec).astype(int)
    expected = prepare(frame.to_ndarray(format="rgb24"), spec).astype(int)
    difference = np.abs(found - expected)
    assert np.median(difference) <= usual
    assert np.percentile(difference, 95) <= largest  # chroma is averaged there, repeated here: edges differ


def test_a_models_filters_are_applied_to_frames_of_a_video_too(tmp_path: Path) -> None:
    frame = first_frame(videos.write_variant(tmp_path, "h264.mp4"))
    planes = planes_of_frame(frame)
    filters: tuple[Filter, ...] = ("equalise", "smooth")
    for resize in ("stretch", "letterbox"):
        spec = InputSpec(48, 80, resize)  # type: ignore[arg-type]
        found = to_model_input(planes, replace(spec, filters=filters))
        expected = prepare(frame.to_ndarray(format="rgb24"), replace(spec, filters=filters))
        assert np.median(np.abs(found.astype(int) - expected)) <= 3
        assert np.abs(found.astype(int) - to_model_input(planes, spec)).mean() > 10


def test_an_odd_frame_grows_by_repeating_its_last_row_and_column(tmp_path: Path) -> None:
    frame = first_frame(videos.odd_sized(tmp_path / "odd.mkv"))
    planes = planes_of_frame(frame)
    grown = to_frame(planes)
    y = np.frombuffer(memoryview(grown.planes[0]), np.uint8).reshape(-1, grown.planes[0].line_size)
    assert (grown.height, grown.width) == (242, 322)
    assert np.array_equal(y[:241, :321], planes.y)
    assert np.array_equal(y[241, :321], planes.y[240])
    assert np.array_equal(y[:241, 321], planes.y[:, 320])


def test_a_picture_is_encoded_from_the_memory_that_it_was_drawn_on(tmp_path: Path) -> None:
    planes = planes_of_frame(first_frame(videos.odd_sized(tmp_path / "odd.mkv")), (241, 321))
    frame = to_frame(planes)
    planes.y[:] = 200
    planes.u[:] = 90
    assert to_frame(planes) is frame
    copied = Planes.of(planes.y, planes.u, planes.v, planes.colour)
    assert np.array_equal(frame.to_ndarray(), to_frame(copied).to_ndarray())


def test_the_memory_of_a_picture_serves_the_next_one() -> None:
    first = Planes.of(*(np.full(shape, 7, np.uint8) for shape in ((33, 47), (17, 24), (17, 24))), Colour())
    frame = to_frame(first)
    second = Planes.empty(33, 47, Colour(), frame)
    assert second.frame is frame
    assert (second.y == 7).all()
    second.y[:] = 8
    assert (to_frame(second).to_ndarray()[:33, :47] == 8).all()


def test_the_memory_that_an_encoder_still_holds_is_left_to_it() -> None:
    encoder = VideoCodecContext.create("ffvhuff", "w")
    encoder.width, encoder.height, encoder.pix_fmt, encoder.time_base = 64, 48, "yuv420p", Fraction(1, 25)
    encoder.thread_count, encoder.thread_type = 4, "FRAME"  # each thread encodes a picture of its own, later
    planes = Planes.empty(48, 64, Colour())
    packets = []
    for number in range(12):
        for plane in (planes.y, planes.u, planes.v):
            plane[:] = 10 * number
        frame = to_frame(planes)
        frame.pts = number
        packets += encoder.encode(frame)
        planes = Planes.empty(48, 64, Colour(), frame)
    packets += encoder.encode(None)
    decoder = VideoCodecContext.create("ffvhuff", "r")
    decoder.extradata = encoder.extradata
    decoder.width, decoder.height = 64, 48
    shown = [frame for packet in [*packets, None] for frame in decoder.decode(packet)]
    assert [set(frame.to_ndarray().ravel()) for frame in shown] == [{10 * number} for number in range(12)]
