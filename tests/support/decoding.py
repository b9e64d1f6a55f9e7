"""The decoder's work without its process, for tests of what comes before and after it."""

from pathlib import Path

import av
import numpy as np

from service.video.decoding.pictures import write_picture
from service.video.decoding.planes import Colour, Planes
from service.video.decoding.slots import picture_bytes, planes_of


def first_frame(path: Path) -> av.VideoFrame:
    with av.open(str(path)) as container:
        return next(container.decode(video=0))


def planes_of_frame(frame: av.VideoFrame, size: tuple[int, int] | None = None) -> Planes:
    """Planes of `size` (height, width), by default the frame's own."""
    height, width = size or (frame.height, frame.width)
    views = planes_of(np.zeros(picture_bytes(height, width), np.uint8), height, width)
    header = write_picture(frame, 0, views)
    return Planes.of(*views, Colour(header.space, header.range, header.primaries, header.transfer))
