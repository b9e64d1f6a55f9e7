"""Messages between the service and its decoder. No pickle: what the decoder says is not trusted.

The service sends a request in JSON, for frames followed by the index, and one byte for each frame that it has taken.
The decoder answers with messages that begin with their kind.
"""

import json
import struct
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from service.video.decoding.index import VideoIndex

ALIVE, FRAME, INFO, INDEX, DONE, REFUSED, FAULT = b"A", b"F", b"I", b"X", b"D", b"E", b"!"
TAKEN = b"t"

MOST_FRAMES = 20_000_000
"""Three days at 60 frames a second; more is no video, and its index would fill the service's memory."""
LONGEST_MESSAGE = 64 + 17 * MOST_FRAMES

_FRAME = struct.Struct("<q4i?")
_INDEX = struct.Struct("<qqqqq??6x")


@dataclass(frozen=True, slots=True)
class FrameHeader:
    """A frame that lies in the next slot; the colours as FFmpeg numbers them."""

    number: int
    space: int
    range: int
    primaries: int
    transfer: int
    in_hardware: bool = False

    def pack(self) -> bytes:
        colour = (self.space, self.range, self.primaries, self.transfer)
        return FRAME + _FRAME.pack(self.number, *colour, self.in_hardware)

    @classmethod
    def unpack(cls, body: bytes) -> "FrameHeader":
        return cls(*_FRAME.unpack(body))


def pack_json(values: dict[str, Any]) -> bytes:
    return json.dumps(values).encode()


def pack_index(index: VideoIndex) -> bytes:
    base = index.time_base
    numbers = (base.numerator, base.denominator, index.last_duration, len(index), index.discarded)
    head = _INDEX.pack(*numbers, index.ordinal, index.repaired)
    return head + index.stamps.tobytes() + index.keyframes.tobytes()


def unpack_index(body: bytes) -> VideoIndex:
    """Raises ValueError, struct.error or ZeroDivisionError on anything that is no index."""
    numerator, denominator, last_duration, length, discarded, ordinal, repaired = _INDEX.unpack_from(body)
    numbers = np.frombuffer(body, np.int64, offset=_INDEX.size)
    stamps, keyframes = numbers[:length], numbers[length:]
    if not 0 < length == len(stamps) or (len(keyframes) and not 0 <= keyframes.min() <= keyframes.max() < length):
        raise ValueError("the index does not hold together")
    base = Fraction(numerator, denominator)
    return VideoIndex(stamps, keyframes, base, last_duration, ordinal, repaired, discarded)
