"""One thread for frames, which ends with the test."""

from collections.abc import Iterator

import pytest

from service.frame_threads import FrameThreads


@pytest.fixture
def threads() -> Iterator[FrameThreads]:
    threads = FrameThreads(1)
    yield threads
    threads.shutdown(wait=True)
