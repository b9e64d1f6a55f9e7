"""Bodies as they arrive."""

from collections.abc import AsyncIterator


async def pieces(body: bytes, sizes: list[int]) -> AsyncIterator[bytes]:
    """The body in pieces of these sizes, and the rest."""
    position = 0
    for size in sizes:
        yield body[position : position + size]
        position += size
    yield body[position:]
