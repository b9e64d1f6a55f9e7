"""Shared memory through which frames come back: a ring of pictures, each three planes one after another."""

import mmap
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

U8: TypeAlias = npt.NDArray[np.uint8]

SLOTS = 3
"""Frames that the decoder may be ahead of who takes them."""


def picture_bytes(height: int, width: int) -> int:
    return height * width + 2 * _half(height) * _half(width)


def slot(memory: mmap.mmap, height: int, width: int, count: int) -> U8:
    """Bytes uint8 [picture_bytes] of the slot that holds the `count`-th frame."""
    size = picture_bytes(height, width)
    return np.frombuffer(memory, np.uint8, size, (count % SLOTS) * size)


def planes_of(picture: U8, height: int, width: int) -> tuple[U8, U8, U8]:
    """Views of a slot's bytes: Y uint8 [H, W]; U, V uint8 [(H + 1) / 2, (W + 1) / 2]."""
    luma, chroma = height * width, _half(height) * _half(width)
    y, u, v = picture[:luma], picture[luma : luma + chroma], picture[luma + chroma :]
    half = (_half(height), _half(width))
    return y.reshape(height, width), u.reshape(half), v.reshape(half)


def _half(size: int) -> int:
    return (size + 1) // 2
