"""Waiting in tests for what another thread or process does: until it is so, or a deadline; never for a fixed time."""

import asyncio
import time
from collections.abc import Callable

DEADLINE_SECONDS = 60


async def until(condition: Callable[[], object]) -> None:
    """Ask again and again; raises TimeoutError after the deadline."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not condition():  # noqa: ASYNC110 - nothing tells us, so we ask
            await asyncio.sleep(0.005)


def wait_until(holds: Callable[[], object], what: str, seconds: float = DEADLINE_SECONDS) -> None:
    """The same without an event loop; fails with `what` after the deadline."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)
