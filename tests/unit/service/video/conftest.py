"""The server's side of video jobs, on a folder of the test's own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from service.video.jobs.jobs import VideoJobs
from tests.support.running import red_settings


@pytest.fixture
def jobs(tmp_path: Path) -> Iterator[VideoJobs]:
    made = VideoJobs(red_settings(tmp_path))
    yield made
    made.close()
