"""Decoded frames of every kind -> upright 8 bit planes, with FFmpeg's own conversion as the witness."""

from pathlib import Path

import av
import numpy as np
import pytest

from service.video.decoding.pictures import lay_as_software
from service.video.decoding.planes import to_rgb
from tests.support import videos
from tests.support.decoding import first_frame, lay, planes_of_frame


@pytest.mark.parametrize("quarter_turns", [1, 2, 3])
def test_a_rotated_frame_is_seen_upright(tmp_path: Path, quarter_turns: int) -> None:
    frame = first_frame(videos.rotated(tmp_path / "rotated.mp4", 90 * quarter_turns))
    height, width = (128, 96) if quarter_turns % 2 else (96, 128)
    shown = to_rgb(planes_of_frame(frame, (height, width))).astype(int)
    expected = np.rot90(videos.frame_at(0), quarter_turns).astype(int)
    assert shown.shape == expected.shape
    assert np.abs(shown - expected).mean() < 6


def test_a_frame_of_another_size_is_scaled_to_the_videos(tmp_path: Path) -> None:
    frame = first_frame(videos.write_video(tmp_path / "small.mp4"))
    assert planes_of_frame(frame, (192, 256)).y.shape == (192, 256)


def test_motion_jpeg_is_full_range_and_h264_is_not(tmp_path: Path) -> None:
    assert planes_of_frame(first_frame(videos.write_variant(tmp_path, "mjpeg.avi"))).colour.range == 2
    assert planes_of_frame(first_frame(videos.write_variant(tmp_path, "h264.mp4"))).colour.range == 1


@pytest.mark.parametrize(
    ("codec", "pixel_format", "suffix"),
    [
        ("ffv1", "gray", "mkv"),
        ("ffv1", "gray10le", "mkv"),
        ("ffv1", "yuv420p10le", "mkv"),
        ("ffv1", "yuv444p", "mkv"),
        ("ffv1", "bgra", "mkv"),
        ("libx264", "yuv422p10le", "mp4"),
        ("mjpeg", "yuvj422p", "avi"),
        ("mjpeg", "yuvj444p", "avi"),
    ],
)
def test_every_pixel_format_is_seen_in_its_colours(tmp_path: Path, codec: str, pixel_format: str, suffix: str) -> None:
    frame = first_frame(videos.write_video(tmp_path / f"clip.{suffix}", codec, pixel_format))
    shown = to_rgb(planes_of_frame(frame)).astype(int)
    assert np.abs(shown - frame.to_ndarray(format="rgb24")).mean() < 2.5


@pytest.mark.parametrize(("planar", "laid"), [("yuv420p", "nv12"), ("yuv420p10le", "p010le")])
@pytest.mark.parametrize("colour_range", [1, 2])
@pytest.mark.parametrize("space", [1, 2, 3, 5, 6, 8, 9, 10])
def test_a_picture_that_hardware_lays_otherwise_has_the_same_values_and_colours(
    planar: str, laid: str, colour_range: int, space: int
) -> None:
    frame = av.VideoFrame(720, 576, planar)
    values = np.random.default_rng(0)
    for plane in frame.planes:
        if planar == "yuv420p":
            plane.update(values.integers(0, 256, plane.buffer_size, np.uint8).tobytes())
        else:
            plane.update(values.integers(0, 1024, plane.buffer_size // 2, np.uint16).tobytes())
    frame.color_range, frame.colorspace, frame.color_primaries, frame.color_trc = colour_range, space, 5, 6
    hardware = lay(frame, laid)
    for size in ((576, 720), (288, 360)):
        expected, found = planes_of_frame(frame, size), planes_of_frame(lay_as_software(hardware), size)
        assert (found.colour.range, found.colour.primaries, found.colour.transfer) == (colour_range, 5, 6)
        assert found.colour.space == space
        assert found.colour == expected.colour
        for name in ("y", "u", "v"):
            assert np.array_equal(getattr(found, name), getattr(expected, name)), name
