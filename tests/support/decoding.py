"""The decoder's work without its process, for tests of what comes before and after it."""

from pathlib import Path

import av
import numpy as np

from service.video.decoding.pictures import write_picture
from service.video.decoding.planes import Colour, Planes
from service.video.decoding.slots import picture_bytes, planes_of

_UNSPECIFIED = 2


def first_frame(path: Path) -> av.VideoFrame:
    with av.open(str(path)) as container:
        return next(container.decode(video=0))


def planes_of_frame(frame: av.VideoFrame, size: tuple[int, int] | None = None) -> Planes:
    """Planes of `size` (height, width), by default the frame's own."""
    height, width = size or (frame.height, frame.width)
    views = planes_of(np.zeros(picture_bytes(height, width), np.uint8), height, width)
    header = write_picture(frame, 0, views)
    return Planes.of(*views, Colour(header.space, header.range, header.primaries, header.transfer))


def lay(frame: av.VideoFrame, laid: str) -> av.VideoFrame:
    """A 4:2:0 frame's values as hardware lays them: U and V side by side, 10 bits at the upper end of 16."""
    depth, kind = (8, np.uint8) if laid == "nv12" else (10, np.uint16)
    space, frame.colorspace = frame.colorspace, _UNSPECIFIED  # swscale refuses some
    hardware = frame.reformat(format=laid)  # with its rotation and colours
    frame.colorspace = space
    y, u, v = (
        np.frombuffer(memoryview(plane), kind).reshape(plane.height, -1)[:, : plane.width] for plane in frame.planes
    )
    for plane, values in zip(hardware.planes, (y, np.dstack([u, v]).reshape(u.shape[0], -1)), strict=True):
        rows = np.frombuffer(memoryview(plane), kind).reshape(plane.height, -1)
        rows[:, : values.shape[1]] = values << (rows.itemsize * 8 - depth)
    hardware.colorspace = space
    return hardware
