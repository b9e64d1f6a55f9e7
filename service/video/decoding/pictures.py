"""A decoded frame -> the planes of the picture as a person sees it: rotated, 8 bit, 4:2:0, of the video's size."""

import numpy as np
from av.video.frame import VideoFrame
from av.video.plane import VideoPlane

from service.errors import UndecodableVideo
from service.video.decoding.slots import U8
from service.video.decoding.wire import FrameHeader

_PLANAR_FORMATS = {"yuv420p", "yuvj420p"}
PLANAR = {"nv12": "yuv420p", "p010le": "yuv420p10le"}
"""Formats of hardware, which lays U and V side by side -> the software's for the same values."""
_FULL_RANGE, _UNSPECIFIED = 2, 2


def write_picture(frame: VideoFrame, number: int, planes: tuple[U8, U8, U8]) -> FrameHeader:
    """Fill `planes` (Y [H, W]; U, V [(H + 1) / 2, (W + 1) / 2]); how their values stand for colours is in the header.

    A frame of another size (the stream changed) is scaled to the size that the video began with.
    """
    rotation = rotation_of(frame)
    height, width = planes[0].shape
    stored = (width, height) if rotation % 180 == 0 else (height, width)
    if frame.format.name not in _PLANAR_FORMATS or (frame.width, frame.height) != stored:
        frame = _reformat(frame, stored, "yuv420p")
    for plane, target in zip(frame.planes, planes, strict=True):
        np.copyto(target, np.rot90(_pixels(plane), rotation // 90))
    full = frame.format.name == "yuvj420p" or frame.color_range == _FULL_RANGE
    return FrameHeader(
        number, int(frame.colorspace), _FULL_RANGE if full else 1, int(frame.color_primaries), int(frame.color_trc)
    )


def lay_as_software(frame: VideoFrame) -> VideoFrame:
    """A frame of hardware -> one with the same values as software lays them. Raises UndecodableVideo for a format of
    which no software's is known."""
    if frame.format.name not in PLANAR:
        raise UndecodableVideo(f"hardware gave a picture in the format {frame.format.name}")
    # with more threads, 10 bit has wrong pixels where a thread's part begins
    return _reformat(frame, (frame.width, frame.height), PLANAR[frame.format.name], threads=1)


def _reformat(frame: VideoFrame, size: tuple[int, int], pixel_format: str, threads: int = 0) -> VideoFrame:
    """To `size` (width, height). What is YUV already keeps its matrix: swscale does not need it, and refuses some."""
    if frame.format.is_rgb or frame.format.has_palette:
        return frame.reformat(*size, format=pixel_format, threads=threads)
    space = frame.colorspace
    frame.colorspace = _UNSPECIFIED
    made = frame.reformat(*size, format=pixel_format, threads=threads)
    frame.colorspace = made.colorspace = space
    return made


def rotation_of(frame: VideoFrame) -> int:
    """Quarter turns only: 0, 90, 180 or 270 degrees counterclockwise."""
    return round(frame.rotation / 90) * 90 % 360


def _pixels(plane: VideoPlane) -> U8:
    """A plane's pixels uint8 [H, W], in the frame's own memory."""
    rows: U8 = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
    return rows[: plane.height, : plane.width]
