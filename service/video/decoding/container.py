"""Opening a video file so that FFmpeg reads that file and nothing else."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, NoReturn, TypeAlias

import av
import av.subtitles.stream  # PyAV imports it at the first file, when no module can be opened any more
from av.codec.hwaccel import HWAccel
from av.container import InputContainer
from av.packet import Packet
from av.stream import Disposition, Stream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from service.errors import TooManyPixels, UndecodableVideo

VideoPacket: TypeAlias = "Packet[VideoStream]"
OnProgress: TypeAlias = Callable[[], None]
"""Called for every packet: the decoder has moved on."""

CONTAINERS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,asf,flv,ogg,mxf,dv"
"""FFmpeg's demuxers that hold their frames themselves. Playlists (HLS, DASH, concat), SDP and image sequences name
other files or addresses and are not here."""

SUPPORTED = "MP4, MOV, MKV, WebM, AVI, MPEG-TS, MPEG-PS, ASF, FLV, Ogg, MXF or DV"

_READ_BYTES = 1 << 20


@contextmanager
def open_video(file: BinaryIO, hwaccel: HWAccel | None = None) -> Iterator[tuple[InputContainer, VideoStream]]:
    """Yield the container and its first real video stream; raises UndecodableVideo, MemoryError.

    FFmpeg gets an open file instead of a name, so neither a file's extension nor a relative reference counts; the list
    of containers is closed, no protocol is allowed, QuickTime's external references stay off, and any attempt to open
    something else is refused. With `hwaccel`, what the hardware can decode is decoded there.
    """
    options = {"format_whitelist": CONTAINERS, "protocol_whitelist": "", "enable_drefs": "0"}
    file.seek(0)
    try:
        container = av.open(
            file, "r", container_options=options, buffer_size=_READ_BYTES, io_open=_refuse, hwaccel=hwaccel
        )
    except MemoryError:
        raise
    except (av.error.FFmpegError, ValueError, OSError) as error:
        raise UndecodableVideo(f"the file is not a readable video: {_reason(error)}; send {SUPPORTED}") from error
    with container:
        yield container, _video_stream(container)


def read_packets(container: InputContainer, stream: VideoStream, on_progress: OnProgress) -> Iterator[VideoPacket]:
    """Packets of a stream until its end, or until the file can't be read on: a cut-off file has what came before.

    Demuxers pass over damaged places by themselves. Raises MemoryError.
    """
    try:
        for packet in container.demux(stream):
            on_progress()
            yield packet
    except MemoryError:
        raise
    except av.error.FFmpegError:
        return


def decode(packet: VideoPacket) -> list[VideoFrame] | None:
    """Frames that come out when a packet goes in; None when it is damaged.

    Raises MemoryError, and FFmpegError where it may be the hardware that failed.
    """
    try:
        return list(packet.decode())
    except av.error.EOFError:
        return []
    except MemoryError:
        raise
    except av.error.FFmpegError as error:
        if packet.stream.codec_context.is_hwaccel and not isinstance(error, av.error.InvalidDataError):
            raise
        return None


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


def file_bytes(file: BinaryIO) -> int:
    return os.fstat(file.fileno()).st_size


def _refuse(*_: Any) -> NoReturn:
    raise PermissionError("only the uploaded file is read")


def _reason(error: Exception) -> str:
    if isinstance(error, av.error.InvalidDataError):
        return "no known container, or it is cut off before its index"
    if isinstance(error, av.error.ArgumentError):
        return "a playlist or a container that is not taken"
    return "it can't be opened"


def _video_stream(container: InputContainer) -> VideoStream:
    streams = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
    if not streams:
        kinds = ", ".join(sorted({_kind(stream) for stream in container.streams})) or "nothing"
        raise UndecodableVideo(f"the file has no video stream, only {kinds}")
    return streams[0]


def _kind(stream: Stream) -> str:
    return "an attached picture" if stream.type == "video" else stream.type
