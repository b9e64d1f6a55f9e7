"""Stages of all workers together have no more threads than there are cores to share."""

import pytest

from service.backends.cores import available_cores
from service.settings import Settings
from service.video.segments.threads import codec_threads, inference_lanes, worker_count


@pytest.mark.parametrize(
    ("cores", "workers", "threads", "lanes"),
    [
        (1, 1, 1, 1),
        (2, 1, 1, 2),
        (3, 1, 1, 3),
        (4, 1, 2, 4),
        (8, 1, 4, 8),
        (8, 2, 2, 4),
        (8, 4, 1, 2),
        (64, 1, 4, 8),
        (2, 4, 1, 1),
        (4, 0, 2, 4),
    ],
)
def test_a_codec_has_half_of_a_workers_cores_and_each_core_a_frame(
    cores: int, workers: int, threads: int, lanes: int
) -> None:
    settings = Settings(threads=cores, workers=workers)
    assert codec_threads(settings) == threads
    assert inference_lanes(settings) == lanes


def test_cores_and_workers_are_counted_when_nobody_says() -> None:
    settings = Settings(threads=0, workers=None)
    counted = Settings(threads=available_cores(), workers=worker_count(settings))
    assert worker_count(settings) == max(1, available_cores() // 4)
    assert codec_threads(settings) == codec_threads(counted)
    assert inference_lanes(settings) == inference_lanes(counted)
