"""Stages of all workers together have no more threads than there are cores to share."""

import pytest

from service.backends.cores import available_cores
from service.settings import Settings
from service.video.threads import settings_of_a_stage, stage_threads, worker_count


@pytest.mark.parametrize(
    ("cores", "workers", "threads"),
    [(1, 1, 1), (2, 1, 1), (3, 1, 1), (4, 1, 2), (8, 1, 4), (8, 2, 2), (8, 4, 1), (64, 1, 4), (2, 4, 1), (4, 0, 2)],
)
def test_inference_and_encoder_share_a_workers_part_of_the_cores(cores: int, workers: int, threads: int) -> None:
    settings = Settings(threads=cores, workers=workers)
    assert stage_threads(settings) == threads
    assert settings_of_a_stage(settings) == Settings(threads=threads, workers=workers)


def test_cores_and_workers_are_counted_when_nobody_says() -> None:
    settings = Settings(threads=0, workers=None)
    counted = Settings(threads=available_cores(), workers=worker_count(settings))
    assert worker_count(settings) == max(1, available_cores() // 4)
    assert stage_threads(settings) == stage_threads(counted)
