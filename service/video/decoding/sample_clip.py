"""A short video of our own making: what a decoder makes of it is known, and a stranger has no hand in it."""

from io import BytesIO

import av
import numpy as np
from av.video.frame import VideoFrame

HEIGHT, WIDTH, FRAMES = 240, 320, 8


def make_clip() -> BytesIO:
    """H.264 in MP4, pictures that differ and lean on one another."""
    file = BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=25, options={"preset": "veryfast", "threads": "1"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        rows, columns = np.indices((HEIGHT * 3 // 2, WIDTH))
        for number in range(FRAMES):
            picture = ((rows + 2 * columns + 9 * number) // 3 % 256).astype(np.uint8)
            container.mux(stream.encode(VideoFrame.from_ndarray(picture, format="yuv420p")))
        container.mux(stream.encode(None))
    file.seek(0)
    return file
