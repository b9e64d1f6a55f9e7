"""Decoded frames of one segment, each with its index; a frame that can't be decoded is left out."""

from collections.abc import Iterator
from itertools import chain
from typing import BinaryIO

import av
import numpy as np
from av.codec.hwaccel import HWAccel
from av.container import InputContainer
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from service.errors import UndecodableVideo
from service.video.decoding.container import (
    OnProgress,
    VideoPacket,
    check_pixels,
    decode,
    open_video,
    read_packets,
)
from service.video.decoding.index import VideoIndex
from service.video.decoding.pictures import PLANAR
from service.video.decoding.scan import stamp_of

NumberedFrames = Iterator[tuple[int, VideoFrame]]

_ON_THE_DEVICE = "cuda"
"""Pixel format of a decoder whose pictures come out on the device; PyAV copies them."""
_SEEK_BACK_SECONDS = (0, 2, 20, 200)
"""How much earlier to look when a container's own seek lands behind the keyframe that was asked for."""


def read_frames(
    file: BinaryIO,
    index: VideoIndex,
    bounds: tuple[int, int],
    *,
    max_megapixels: float,
    threads: int,
    on_progress: OnProgress,
    hwaccel: HWAccel | None = None,
) -> Iterator[tuple[int, VideoFrame, bool]]:
    """Yield `(frame index, frame, whether hardware decoded it)` from the first bound to before the second, in the order
    shown. Frames lie in the process's own memory, whoever decoded them.

    Indexes that are missing could not be decoded. Every segment is decoded from a keyframe by a fresh decoder, so its
    frames do not depend on what ran before. What `hwaccel` can't decode is decoded in software. Raises FFmpegError
    where the hardware fails, UndecodableVideo where it gives another part of the picture than software.
    """
    first, last = bounds
    for start in _starts(index, first):
        with open_video(file, hwaccel) as (container, stream):
            check_pixels(stream, max_megapixels)
            stream.codec_context.thread_count = threads
            stream.codec_context.thread_type = "AUTO" if threads > 1 else "NONE"
            frames = _frames_from(container, stream, index, start, on_progress)
            if frames is None:
                continue
            for number, frame in frames:
                if number >= last:
                    return
                if number >= first and not frame.is_corrupt:
                    yield number, frame, hwaccel is not None and is_of_hardware(frame, stream.codec_context)
            return


def is_of_hardware(frame: VideoFrame, context: VideoCodecContext) -> bool:
    """By its format, which no software gives for a codec that is left to hardware, and by what the decoder says.

    Raises UndecodableVideo for a size that is not the video's: FFmpeg cuts nothing off a device's picture at its left
    and its top.
    """
    if frame.format.name not in PLANAR and context.pix_fmt != _ON_THE_DEVICE:
        return False
    if (frame.width, frame.height) != (context.width, context.height):
        raise UndecodableVideo(f"hardware gave {frame.width}x{frame.height} for {context.width}x{context.height}")
    return True


def _starts(index: VideoIndex, first: int) -> Iterator[int | None]:
    """Keyframes to start at, the nearest first and then ever further back; last None, the beginning of the file."""
    position = int(np.searchsorted(index.keyframes, first, side="right")) - 1
    back = 1
    while position >= 0 and index.keyframes[position] > 0:
        yield int(index.keyframes[position])
        position, back = position - back, back * 2
    yield None


def _frames_from(
    container: InputContainer, stream: VideoStream, index: VideoIndex, keyframe: int | None, on_progress: OnProgress
) -> NumberedFrames | None:
    """Frames from a keyframe on; None when the container can't go there or the keyframe's own picture is not whole.

    Some encoders mark frames as keyframes that lean on earlier ones; the decoder calls their picture corrupt.
    """
    if keyframe is None:
        return _numbered(read_packets(container, stream, on_progress), index)
    packets = _packets_from(container, stream, index, keyframe, on_progress)
    if packets is None:
        return None
    frames = _numbered(packets, index)
    for number, frame in frames:
        if number >= keyframe:
            return None if frame.is_corrupt else chain([(number, frame)], frames)
    return None


def _packets_from(
    container: InputContainer, stream: VideoStream, index: VideoIndex, keyframe: int, on_progress: OnProgress
) -> Iterator[VideoPacket] | None:
    """Packets from a keyframe on, or from one before it where the container seeks badly."""
    wanted = int(index.stamps[keyframe])
    for seconds in _SEEK_BACK_SECONDS:
        try:
            container.seek(wanted - round(seconds / float(index.time_base)), stream=stream)
        except MemoryError:
            raise
        except av.error.FFmpegError:
            continue
        packets = read_packets(container, stream, on_progress)
        for packet in packets:
            stamp = stamp_of(packet, index.ordinal)
            if packet.is_keyframe and stamp is not None:
                if stamp <= wanted:
                    return chain([packet], packets)
                break
    return None


def _numbered(packets: Iterator[VideoPacket], index: VideoIndex) -> NumberedFrames:
    """Give each decoded frame its index."""
    number: int | None = None
    for packet in packets:
        if number is None:
            number = _number_before(index, packet)
        if not index.ordinal and packet.size:
            packet.pts = stamp_of(packet, ordinal=False)
        frames = decode(packet)
        if frames is None:
            number += index.ordinal
            continue
        for frame in frames:
            place = number + 1 if index.ordinal else _place(index, number, frame.pts)
            if place <= number:
                continue  # shown too late: a damaged neighbour came before it
            number = place
            yield place, frame


def _number_before(index: VideoIndex, first: VideoPacket) -> int:
    """Index of the frame before the first that will come out."""
    if not index.ordinal or index.repaired:
        return -1
    return _index_of(index, stamp_of(first, ordinal=True)) - 1


def _place(index: VideoIndex, before: int, stamp: int | None) -> int:
    """Index of a frame shown at a time, after that of the frame before where several have the same time."""
    place = _index_of(index, stamp)
    following = before + 1
    same_time = following < len(index) and index.stamps[following] == stamp
    return following if stamp is None or same_time else place


def _index_of(index: VideoIndex, stamp: int | None) -> int:
    """Index of the first frame shown at or after a time; -1 when the time is not known."""
    return -1 if stamp is None else int(np.searchsorted(index.stamps, stamp))
