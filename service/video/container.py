"""Opening a video file so that FFmpeg reads that file and nothing else."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn, TypeAlias

import av
from av.container import InputContainer
from av.packet import Packet
from av.stream import Disposition
from av.video.stream import VideoStream

from service.errors import UndecodableVideo

VideoPacket: TypeAlias = "Packet[VideoStream]"

CONTAINERS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,asf,flv,ogg,mxf,dv"
"""FFmpeg's demuxers that hold their frames themselves. Playlists (HLS, DASH, concat), SDP and image sequences name
other files or addresses and are not here."""

SUPPORTED = "MP4, MOV, MKV, WebM, AVI, MPEG-TS, MPEG-PS, ASF, FLV, Ogg, MXF or DV"

_READ_BYTES = 1 << 20


@contextmanager
def open_video(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    """Yield the container and its first real video stream; raises UndecodableVideo.

    FFmpeg gets an open descriptor instead of a name, so neither a file's extension nor a relative reference counts;
    the list of containers is closed, no protocol is allowed, QuickTime's external references stay off, and any attempt
    to open something else is refused.
    """
    options = {"format_whitelist": CONTAINERS, "protocol_whitelist": "", "enable_drefs": "0"}
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_CLOEXEC), "rb") as file:
        try:
            container = av.open(file, "r", container_options=options, buffer_size=_READ_BYTES, io_open=_refuse)
        except (av.error.FFmpegError, ValueError, OSError) as error:
            raise UndecodableVideo(f"the file is not a readable video: {_reason(error)}; send {SUPPORTED}") from error
        with container:
            yield container, _video_stream(container)


def read_packets(container: InputContainer, stream: VideoStream) -> Iterator[VideoPacket]:
    """Packets of a stream until its end, or until the file can't be read on: a cut-off file has what came before."""
    try:
        yield from container.demux(stream)
    except av.error.FFmpegError:
        return


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
        kinds = ", ".join(sorted({stream.type for stream in container.streams})) or "nothing"
        raise UndecodableVideo(f"the file has no video stream, only {kinds}")
    return streams[0]
