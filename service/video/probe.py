"""What a video says of itself, and whether its first frame can be decoded."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from service.errors import TooManyPixels, UndecodableVideo
from service.video.container import open_video, read_packets

_PROBED_PACKETS = 500
"""Packets that may pass before the first frame comes out."""


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """A video as a person sees it: `width` and `height` in pixels after rotation."""

    container: str
    codec: str
    pixel_format: str
    width: int
    height: int
    rotation: int
    """Degrees counterclockwise by which the stored picture is turned: 0, 90, 180 or 270."""
    frame_rate: float | None
    duration_s: float | None
    frames: int | None
    """What the header says; the index counts them."""
    pixel_aspect: str
    """Width to height of a pixel as seen, e.g. `16:15`; masks and rows count stored pixels."""
    bytes: int


def probe(path: Path, max_megapixels: float) -> VideoInfo:
    """Open a video and decode its first frame; raises UndecodableVideo, TooManyPixels."""
    with open_video(path) as (container, stream):
        check_pixels(stream, max_megapixels)
        frame = _first_frame(container, stream)
        return _describe(path, container, stream, frame)


def check_pixels(stream: VideoStream, max_megapixels: float) -> None:
    """Raise TooManyPixels from the stream's header, before the decoder is opened; bind the decoder to the limit."""
    context = stream.codec_context
    if context is None:
        raise UndecodableVideo("the video's codec is not known here")
    width, height = context.width, context.height
    if width * height > max_megapixels * 1e6:
        raise TooManyPixels(
            f"the video's frames are {width}x{height} ({width * height / 1e6:.1f} MP); "
            f"the limit is {max_megapixels:g} MP (ENDOMASK_MAX_FRAME_MEGAPIXELS)"
        )
    context.options = {"max_pixels": str(int(max_megapixels * 1e6))}


def rotation_of(frame: VideoFrame) -> int:
    """Quarter turns only: 0, 90, 180 or 270 degrees counterclockwise."""
    return round(frame.rotation / 90) * 90 % 360


def _first_frame(container: InputContainer, stream: VideoStream) -> VideoFrame:
    for frame in _decoded(container, stream):
        return frame
    raise UndecodableVideo(f"not one frame of the {stream.codec_context.name} stream can be decoded")


def _decoded(container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
    """Frames of the first packets; damaged packets are passed over."""
    packets = read_packets(container, stream)
    for _ in range(_PROBED_PACKETS):
        try:
            yield from next(packets).decode()
        except (StopIteration, av.error.EOFError):
            return
        except av.error.FFmpegError:
            continue


def _describe(path: Path, container: InputContainer, stream: VideoStream, frame: VideoFrame) -> VideoInfo:
    rotation = rotation_of(frame)
    width, height = (frame.width, frame.height) if rotation % 180 == 0 else (frame.height, frame.width)
    duration = float(stream.duration * stream.time_base) if stream.duration and stream.time_base else None
    if duration is None and container.duration:
        duration = container.duration / 1_000_000
    return VideoInfo(
        container=container.format.name.split(",")[0],
        codec=stream.codec_context.name,
        pixel_format=frame.format.name,
        width=width,
        height=height,
        rotation=rotation,
        frame_rate=round(float(stream.average_rate), 4) if stream.average_rate else None,
        duration_s=round(duration, 3) if duration else None,
        frames=stream.frames or None,
        pixel_aspect=_pixel_aspect(stream, rotation),
        bytes=path.stat().st_size,
    )


def _pixel_aspect(stream: VideoStream, rotation: int) -> str:
    aspect = stream.sample_aspect_ratio or Fraction(1)
    if rotation % 180:
        aspect = 1 / aspect
    return f"{aspect.numerator}:{aspect.denominator}"
