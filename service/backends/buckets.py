"""Batch sizes that a GPU is prepared for: a batch is padded up to the next one."""


def buckets_for(max_batch: int) -> tuple[int, ...]:
    """1, 2, 4, ... and `max_batch` itself."""
    powers = [1 << exponent for exponent in range(max_batch.bit_length()) if 1 << exponent < max_batch]
    return (*powers, max_batch)


def bucket_of(frames: int, buckets: tuple[int, ...]) -> int:
    """The smallest bucket that holds so many frames; a larger batch is a bucket of its own."""
    return next((size for size in buckets if size >= frames), frames)
