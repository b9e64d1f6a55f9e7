"""Decoded frames of every kind -> upright 8 bit planes, with Debian's ffmpeg as the witness."""

from pathlib import Path

import av
import numpy as np
import pytest

from service.video.planes import to_rgb
from tests.support import videos
from tests.support.decoding import planes_of_frame


def first_frame(path: Path) -> av.VideoFrame:
    with av.open(str(path)) as container:
        return next(container.decode(video=0))


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
