"""One thread for frames, which ends with the test; a test without the garbage collector."""

import gc
from collections.abc import Iterator

import pytest

from service.frame_threads import FrameThreads


@pytest.fixture
def threads() -> Iterator[FrameThreads]:
    threads = FrameThreads(1)
    yield threads
    threads.shutdown(wait=True)


@pytest.fixture
def no_collector() -> Iterator[None]:
    """What is freed meanwhile was freed by its last reference."""
    gc.disable()
    yield
    gc.enable()
