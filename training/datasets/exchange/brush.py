"""Run lengths of Label Studio's brush: the bit stream of @thi.ng/rle-pack, over the RGBA bytes of the picture.

32 bits: number of values; 5: bits of a value less 1; four times 4: the run-length widths less 1. Then blocks: one bit
(1: a run of one value, 0: single values), two bits that choose the width, the length less 1, and the value or values.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from training.errors import DatasetError

_CHANNELS = 4


def decode_brush(rle: Sequence[int], height: int, width: int, origin: str) -> NDArray[np.uint8]:
    """Bytes of Label Studio -> 0/1 uint8 [H, W]: where the brush left any alpha."""
    expected = height * width * _CHANNELS
    try:
        bits = np.unpackbits(np.array(rle, np.uint8))
        count = _number(bits, 0, 32)
        values = _decode(bits, count) if count == expected else None
    except (ValueError, OverflowError, IndexError) as error:
        raise DatasetError(f"{origin} has brush run lengths that end too early or hold no bytes") from error
    if values is None:
        raise DatasetError(f"{origin} has a brush mask of {count // _CHANNELS} pixels; {width}x{height} was said")
    return np.asarray(values.reshape(height, width, _CHANNELS)[..., 3] > 0, np.uint8)


def _decode(bits: NDArray[np.uint8], count: int) -> NDArray[np.uint8]:
    """`count` values, uint8; raises ValueError where the stream ends before."""
    word = _number(bits, 32, 5) + 1
    widths = [_number(bits, 37 + 4 * i, 4) + 1 for i in range(4)]
    if word > 8:
        raise ValueError(word)
    values = np.zeros(count, np.uint8)
    done, at = 0, 53
    while done < count:
        width = widths[_number(bits, at + 1, 2)]
        length = _number(bits, at + 3, width) + 1
        is_run, at = bits[at], at + 3 + width
        if is_run:
            values[done : done + length] = _number(bits, at, word)
            at += word
        else:
            words = bits[at : at + length * word].reshape(length, word)
            values[done : done + length] = words @ (1 << np.arange(word)[::-1])
            at += length * word
        done += length
    return values


def _number(bits: NDArray[np.uint8], start: int, width: int) -> int:
    """`width` bits, the highest first."""
    if start + width > bits.size:
        raise ValueError(start)
    return int.from_bytes(np.packbits(bits[start : start + width]).tobytes()) >> -width % 8
