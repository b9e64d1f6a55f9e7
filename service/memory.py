"""How the process holds its memory between frames, and between videos."""

import ctypes
import sys

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
_LARGEST_MMAP_THRESHOLD = 32 << 20
"""Bytes; where glibc itself stops raising it on 64-bit machines (mallopt(3)), with a trim threshold of twice that."""
_HEAPS = 2
"""The first, and one for who finds it taken."""


def keep_freed_pages() -> bool:
    """Have glibc keep what a frame frees for the next one; whether the C library knows how.

    It starts by giving each large array back to the kernel and raises its thresholds when larger ones are freed. Until
    then every 1920x1080 frame faults 1,500 pages in anew, a third of its time.
    """
    return _set({_M_MMAP_THRESHOLD: _LARGEST_MMAP_THRESHOLD, _M_TRIM_THRESHOLD: 2 * _LARGEST_MMAP_THRESHOLD})


def share_heaps() -> bool:
    """Have all threads allocate from two heaps, before there are others; whether the C library knows how.

    glibc makes eight a core and gives a new thread any of them. Every segment has new threads, so in time each heap has
    once held the frames of the stage that needs most, and keeps that.
    """
    return _set({_M_ARENA_MAX: _HEAPS})


def _set(options: dict[int, int]) -> bool:
    if sys.platform != "linux":
        return False
    library = ctypes.CDLL(None)
    if not hasattr(library, "mallopt"):  # musl
        return False
    return all(library.mallopt(name, value) == 1 for name, value in options.items())
