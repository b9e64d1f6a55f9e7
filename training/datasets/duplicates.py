"""Frames that a data set holds twice: the same pixels, or nearly (scaled, compressed, brightened again).

Near ones are found by a perceptual hash: the signs of the 16x16 lowest frequencies of the picture against their median
(pHash, Zauner, Implementation and benchmarking of perceptual image hash functions, 2010), 256 bits.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

U8 = NDArray[np.uint8]

NEAR_BITS = 26
"""Frames whose hashes differ in at most this many of 256 bits are near duplicates.

Measured on Kvasir-SEG, 1000 frames: JPEG at quality 40, half the size or 15 % brighter change at most 16 bits, while no
two different frames are closer than 42. A picture that was cropped (2 % a side: about 43 bits) is not found.
"""

_SIDE = 64
_LOW = 16
_BLOCK = 512


@dataclass(frozen=True)
class Fingerprint:
    """`exact`: SHA-256 of size and pixels; `near`: 256 bits as uint64 [4]."""

    exact: str
    near: NDArray[np.uint64]


@dataclass(frozen=True)
class Pair:
    """Places of two frames that are alike, the first below the second; `bits` differ, 0 and `exact` for same pixels."""

    first: int
    second: int
    bits: int
    exact: bool


def fingerprint(rgb: U8) -> Fingerprint:
    """Of a picture RGB uint8 [H, W, 3]."""
    digest = hashlib.sha256(repr(rgb.shape).encode())
    digest.update(np.ascontiguousarray(rgb).data)
    return Fingerprint(digest.hexdigest(), perceptual_hash(rgb))


def perceptual_hash(rgb: U8) -> NDArray[np.uint64]:
    """RGB uint8 [H, W, 3] -> 256 bits as uint64 [4]."""
    grey = cv2.resize(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    low = cv2.dct(grey.astype(np.float32))[:_LOW, :_LOW]
    return np.packbits((low > np.median(low)).ravel()).view(np.uint64)


def find_pairs(prints: Sequence[Fingerprint], near_bits: int = NEAR_BITS) -> list[Pair]:
    """All pairs of the same pixels, or of hashes at most `near_bits` apart, in order of their places."""
    if not prints:
        return []
    hashes = np.stack([entry.near for entry in prints])
    pairs = []
    for start in range(0, len(prints), _BLOCK):
        block = hashes[start : start + _BLOCK]
        distances = sum(
            np.bitwise_count(block[:, None, i] ^ hashes[None, start:, i]).astype(np.uint16) for i in range(4)
        )
        for row, column in np.argwhere(np.asarray(distances) <= near_bits):
            if column > row:
                first, second = start + int(row), start + int(column)
                exact = prints[first].exact == prints[second].exact
                pairs.append(Pair(first, second, int(np.asarray(distances)[row, column]), exact))
    return pairs
