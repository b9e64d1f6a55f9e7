"""One pass over a video's packets: when each frame is shown, and where decoding can start."""

from array import array
from fractions import Fraction
from typing import BinaryIO

import numpy as np

from service.errors import UndecodableVideo
from service.video.decoding.container import OnProgress, VideoPacket, open_video, read_packets
from service.video.decoding.index import I64, VideoIndex
from service.video.decoding.wire import MOST_FRAMES

_REORDER_FRAMES = 64
"""Packets read past `max_frames`: a frame may be stored this far from where it is shown."""
_ORDINAL_CODECS = {"h264", "hevc"}
"""In AVI, which has no presentation times, FFmpeg guesses wrong ones for these: the n-th frame that the decoder gives
is the n-th frame."""
_WILD_SECONDS = 60
"""Further from its decoding time no frame is shown: such a presentation time is damaged."""
_LONGEST_STEP_SECONDS = 10
_DEEPEST_STEP_BACK_SECONDS = 1
_UNKNOWN = -(2**63)


def index_video(file: BinaryIO, max_frames: int | None, on_progress: OnProgress) -> VideoIndex:
    """Read every packet, decode none; raises UndecodableVideo when there is no frame."""
    stamps, decoded_at, keys, durations = array("q"), array("q"), array("b"), array("q")
    discarded = 0
    with open_video(file) as (container, stream):
        ordinal = container.format.name == "avi" and stream.codec_context.name in _ORDINAL_CODECS
        time_base = stream.time_base
        for packet in read_packets(container, stream, on_progress):
            stamp = stamp_of(packet, ordinal)
            discarded += packet.is_discard
            if stamp is None or not packet.size or packet.is_discard:
                continue
            stamps.append(stamp)
            decoded_at.append(_UNKNOWN if packet.dts is None else packet.dts)
            keys.append(packet.is_keyframe)
            durations.append(max(0, packet.duration or 0))
            if len(stamps) >= min(MOST_FRAMES, (max_frames or MOST_FRAMES) + _REORDER_FRAMES):
                break
    if not stamps or not time_base:
        raise UndecodableVideo("the video stream holds no frames")
    if len(stamps) >= MOST_FRAMES:
        raise UndecodableVideo(f"the video holds more than {MOST_FRAMES:,} frames")
    shown_at, repaired = _timeline(np.array(stamps, np.int64), np.array(decoded_at, np.int64), time_base)
    order = np.argsort(shown_at, kind="stable")[:max_frames]
    ordered = shown_at[order]
    starts = [0] if repaired else np.flatnonzero(np.array(keys, np.bool_)[order])
    duration = durations[int(order[-1])] or _usual_step(ordered)
    starts = np.array(starts, np.int64)
    return VideoIndex(ordered, starts, time_base, duration, ordinal or repaired, repaired, discarded)


def stamp_of(packet: VideoPacket, ordinal: bool) -> int | None:
    """Presentation time of a packet's frame; the decoding time in a container without such times, or where it can't
    be."""
    if ordinal or packet.pts is None:
        return packet.dts
    if packet.dts is not None and packet.time_base:
        apart = abs(packet.pts - packet.dts) * packet.time_base
        if apart > _WILD_SECONDS:
            return packet.dts
    return packet.pts


def _timeline(stamps: I64, decoded_at: I64, time_base: Fraction) -> tuple[I64, bool]:
    """Times of packets in the order of the file, and whether they had to be repaired.

    Decoding times, where they are known, only grow; else the file was joined, restarted or damaged. What then jumps
    back by more than a second, or forward by more than ten, goes on at the usual pace instead.
    """
    known = decoded_at != _UNKNOWN
    if not (np.diff(decoded_at[known]) < 0).any():
        return stamps, False
    decoded_at = np.where(known, decoded_at, stamps)
    steps: I64 = np.diff(decoded_at)
    back, forward = (-_DEEPEST_STEP_BACK_SECONDS / time_base), (_LONGEST_STEP_SECONDS / time_base)
    wrong = (steps < float(back)) | (steps > float(forward))
    corrections = np.where(wrong, _usual_step(decoded_at) - steps, 0)
    return stamps + np.concatenate([[0], np.cumsum(corrections)]), True


def _usual_step(stamps: I64) -> int:
    return max(1, int(np.median(np.diff(stamps)))) if len(stamps) > 1 else 1
