"""Segments that a job's end could not remove, in a bucket that was away."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.errors import NotReady
from service.storage.disk import ABANDONED_AFTER_SECONDS
from service.storage.opening import open_store
from service.video.jobs.database import open_database
from service.video.jobs.records import JobTable, Status
from service.video.workers.unfinished import UnfinishedWork
from tests.support.running import red_settings
from tests.support.s3 import BUCKET, S3, running_s3, use

SEGMENT = b"a segment"


class Bench:
    """Jobs whose segments lie in a bucket, and a clock that can be set."""

    def __init__(self, folder: Path, s3: S3) -> None:
        settings = red_settings(folder, storage_url=f"s3://{BUCKET}/{folder.name}")
        self.s3, self.prefix = s3, folder.name
        self.engine, self.store = open_database(settings), open_store(settings)
        self.now_s = time.time()
        self.unfinished = UnfinishedWork(self.engine, self.store, lambda: self.now_s)

    def job(self, job_id: str, status: Status) -> None:
        table = JobTable(self.engine)
        columns = {"model": "red", "version": 1, "options": {}, "input": {}, "sha256": ""}
        with self.engine.begin() as connection:
            table.insert(connection, id=job_id, **columns)
        if status != "queued":
            table.end(job_id, status)
        for name in ("source", "segments/00000.piece", "segments/00000.d41f7a02/rows.jsonl", "results/summary.json"):
            self.s3.write(f"{self.prefix}/videos/{job_id}/{name}", SEGMENT, {})

    def jobs_with_segments(self) -> set[str]:
        return {key.split("/")[2] for key in self.s3.keys(self.prefix) if "/segments/" in key}


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    with running_s3() as s3:
        use(s3, monkeypatch)
        made = Bench(tmp_path, s3)
        yield made
        made.store.close()
        made.engine.dispose()


def test_what_jobs_left_that_have_ended_goes_once_it_has_rested_and_nothing_else(bench: Bench) -> None:
    for status in ("queued", "failed", "cancelled", "succeeded"):
        bench.job(status, status)
    bench.now_s += ABANDONED_AFTER_SECONDS - 300
    bench.unfinished.sweep()
    assert bench.jobs_with_segments() == {"queued", "failed", "cancelled", "succeeded"}, "somebody may be at them"
    bench.now_s += 600
    bench.unfinished.sweep()
    assert bench.jobs_with_segments() == {"queued"}
    top = f"{bench.prefix}/videos/failed/"
    kept = {key.removeprefix(top) for key in bench.s3.keys(top)}
    assert kept == {"source", "results/summary.json"}


def test_a_bucket_that_is_still_away_is_swept_the_next_time(bench: Bench) -> None:
    bench.job("failed", "failed")
    bench.now_s += ABANDONED_AFTER_SECONDS + 1
    bench.s3.stop()
    with pytest.raises(NotReady):
        bench.unfinished.sweep()
    bench.s3.start()
    bench.unfinished.sweep()
    assert not bench.jobs_with_segments()
