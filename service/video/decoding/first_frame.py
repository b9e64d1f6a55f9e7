"""What a video says of itself, and whether its first frame can be decoded."""

from collections.abc import Iterator
from fractions import Fraction
from typing import BinaryIO

from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from service.errors import UndecodableVideo
from service.video.decoding.container import OnProgress, check_pixels, decode, file_bytes, open_video, read_packets
from service.video.decoding.pictures import rotation_of
from service.video.decoding.probe import VideoInfo

_PROBED_PACKETS = 500
"""Packets that may pass before the first frame comes out."""


def probe(file: BinaryIO, max_megapixels: float, on_progress: OnProgress) -> VideoInfo:
    """Open a video and decode its first frame; raises UndecodableVideo, TooManyPixels."""
    with open_video(file) as (container, stream):
        check_pixels(stream, max_megapixels)
        for frame in _decoded(container, stream, on_progress):
            return _describe(file_bytes(file), container, stream, frame)
        raise UndecodableVideo(f"not one frame of the {stream.codec_context.name} stream can be decoded")


def _decoded(container: InputContainer, stream: VideoStream, on_progress: OnProgress) -> Iterator[VideoFrame]:
    """Frames of the first packets; damaged packets are passed over."""
    packets = read_packets(container, stream, on_progress)
    for _, packet in zip(range(_PROBED_PACKETS), packets, strict=False):
        yield from decode(packet) or ()


def _describe(size: int, container: InputContainer, stream: VideoStream, frame: VideoFrame) -> VideoInfo:
    rotation = rotation_of(frame)
    width, height = (frame.width, frame.height) if rotation % 180 == 0 else (frame.height, frame.width)
    return VideoInfo(
        container=container.format.name.split(",")[0],
        codec=stream.codec_context.name,
        pixel_format=frame.format.name,
        width=width,
        height=height,
        rotation=rotation,
        frame_rate=round(float(stream.average_rate), 4) if stream.average_rate else None,
        duration_s=_duration(container, stream),
        frames=stream.frames or None,
        pixel_aspect=_pixel_aspect(stream, rotation),
        bytes=size,
    )


def _duration(container: InputContainer, stream: VideoStream) -> float | None:
    """Seconds from the first frame on; a Matroska's header tells when it ends."""
    if stream.duration and stream.time_base:
        return round(float(stream.duration * stream.time_base), 3)
    if not container.duration:
        return None
    starts_at = max(0, container.start_time or 0) if container.format.name.startswith("matroska") else 0
    return round((container.duration - starts_at) / 1_000_000, 3) if container.duration > starts_at else None


def _pixel_aspect(stream: VideoStream, rotation: int) -> str:
    aspect = stream.sample_aspect_ratio or Fraction(1)
    if rotation % 180:
        aspect = 1 / aspect
    return f"{aspect.numerator}:{aspect.denominator}"
