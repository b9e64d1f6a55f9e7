"""A decoded frame -> the planes of the picture as a person sees it: rotated, 8 bit, 4:2:0, of the video's size."""

import numpy as np
from av.video.frame import VideoFrame
from av.video.plane import VideoPlane

from service.video.decoding.slots import U8
from service.video.decoding.wire import FrameHeader

_PLANAR_FORMATS = {"yuv420p", "yuvj420p"}
_PLANAR = {"nv12": "yuv420p", "p010le": "yuv420p10le"}
"""Formats of hardware, which lays U and V side by side -> the software's for the same values."""
_FULL_RANGE = 2


def write_picture(frame: VideoFrame, number: int, planes: tuple[U8, U8, U8]) -> FrameHeader:
    """Fill `planes` (Y [H, W]; U, V [(H + 1) / 2, (W + 1) / 2]); how their values stand for colours is in the header.

    A frame of another size (the stream changed) is scaled to the size that the video began with.
    """
    rotation = rotation_of(frame)
    height, width = planes[0].shape
    if planar := _PLANAR.get(frame.format.name):
        space = frame.colorspace
        frame = frame.reformat(
            format=planar, threads=1
        )  # with more, 10 bit has wrong pixels where a thread's part begins
        frame.colorspace = space  # PyAV calls BT.470BG by the name of another with the same numbers
    stored = (width, height) if rotation % 180 == 0 else (height, width)
    if frame.format.name not in _PLANAR_FORMATS or (frame.width, frame.height) != stored:
        frame = frame.reformat(width=stored[0], height=stored[1], format="yuv420p")
    for plane, target in zip(frame.planes, planes, strict=True):
        np.copyto(target, np.rot90(_pixels(plane), rotation // 90))
    full = frame.format.name == "yuvj420p" or frame.color_range == _FULL_RANGE
    return FrameHeader(
        number, int(frame.colorspace), _FULL_RANGE if full else 1, int(frame.color_primaries), int(frame.color_trc)
    )


def rotation_of(frame: VideoFrame) -> int:
    """Quarter turns only: 0, 90, 180 or 270 degrees counterclockwise."""
    return round(frame.rotation / 90) * 90 % 360


def _pixels(plane: VideoPlane) -> U8:
    """A plane's pixels uint8 [H, W], in the frame's own memory."""
    rows: U8 = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
    return rows[: plane.height, : plane.width]
