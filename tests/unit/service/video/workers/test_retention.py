"""What is kept no longer is gone as a whole, also when a crash came between."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from service.errors import UnknownVideo
from service.settings import Settings
from service.video.decoding.limits import DecoderLimits
from service.video.jobs.asked import Asked
from service.video.jobs.database import jobs as jobs_table
from service.video.jobs.database import open_database, steps
from service.video.jobs.jobs import NewJob, VideoJobs
from service.video.jobs.records import JobRecord
from service.video.options import VideoOptions
from service.video.segments.reader import probe
from service.video.workers.retention import Retention
from tests.support import videos
from tests.support.running import red_settings

NAME = "patient-4711.mp4"
HOUR = 3600.0


class Bench:
    """Jobs in a data folder, and a clock that can be set."""

    def __init__(self, folder: Path, retention_hours: float | None) -> None:
        self.settings: Settings = red_settings(folder, retention_hours=retention_hours)
        self.data_dir = self.settings.data_dir
        self.jobs = VideoJobs(self.settings)
        self.engine = open_database(self.settings)
        self.now_s = time.time()
        self.retention = Retention(self.settings, self.engine, self.jobs.store, lambda: self.now_s)

    def job(self, retention_hours: float | None = None, *, ended: bool = True) -> JobRecord:
        upload = videos.write_video(self.jobs.store.data.new_upload().with_suffix(".mp4"))
        asked = Asked("red", 1, VideoOptions(), retention_hours, NAME, None, "me")
        made = self.jobs.create(NewJob(upload, "0" * 64, probe(upload, DecoderLimits()), asked))
        upload.unlink()
        with self.engine.begin() as connection:
            connection.execute(sa.insert(steps).values(job_id=made.id, name="index", attempts=1))
        (self.jobs.store.place(made.id).results / "summary.json").write_text("{}")
        return self.jobs.cancel(made.id) if ended else made

    def there(self, job: JobRecord) -> bool:
        try:
            self.jobs.get(job.id)
        except UnknownVideo:
            return False
        return True

    def leaves_nothing_of(self, job: JobRecord) -> bool:
        """Whether no file and no row tells of it."""
        paths = [path for path in self.data_dir.rglob("*") if job.id in str(path)]
        with self.engine.connect() as connection:
            rows = connection.execute(sa.select(steps).where(steps.c.job_id == job.id)).all()
        return not paths and not rows and not self.there(job)


@pytest.fixture
def make(tmp_path: Path) -> Iterator[list[Bench]]:
    made: list[Bench] = []
    yield made
    for bench in made:
        bench.jobs.close()
        bench.engine.dispose()


def start(make: list[Bench], folder: Path, retention_hours: float | None) -> Bench:
    make.append(Bench(folder, retention_hours))
    return make[-1]


def test_nothing_is_deleted_unless_it_was_asked_for(make: list[Bench], tmp_path: Path) -> None:
    bench = start(make, tmp_path, None)
    job = bench.job()
    bench.now_s += 100_000 * HOUR
    bench.retention.sweep()
    assert bench.there(job)


def test_a_job_goes_with_all_that_is_its_own_once_it_was_kept_long_enough(make: list[Bench], tmp_path: Path) -> None:
    bench = start(make, tmp_path, 24)
    job = bench.job()
    bench.now_s += 23.9 * HOUR
    bench.retention.sweep()
    assert bench.there(job)
    bench.now_s += 0.2 * HOUR
    bench.retention.sweep()
    assert bench.leaves_nothing_of(job)
    assert not any(NAME.encode() in path.read_bytes() for path in bench.data_dir.rglob("*") if path.is_file())


@pytest.mark.parametrize(
    ("own_hours", "default", "stays"), [(1.0, 24.0, False), (48.0, 24.0, True), (1.0, None, False)]
)
def test_a_jobs_own_time_goes_before_the_servers(
    make: list[Bench], tmp_path: Path, own_hours: float, default: float | None, stays: bool
) -> None:
    bench = start(make, tmp_path, default)
    job = bench.job(own_hours)
    bench.now_s += 25 * HOUR
    bench.retention.sweep()
    assert bench.there(job) is stays


def test_a_job_that_has_not_ended_is_kept_however_old(make: list[Bench], tmp_path: Path) -> None:
    bench = start(make, tmp_path, 1)
    job = bench.job(ended=False)
    bench.now_s += 1000 * HOUR
    bench.retention.sweep()
    assert bench.there(job)


def test_a_deletion_that_a_crash_cut_off_is_ended_by_the_next_sweep(make: list[Bench], tmp_path: Path) -> None:
    bench = start(make, tmp_path, 1)
    job = bench.job()
    videos_dir, trash = bench.data_dir / "videos" / job.id, bench.data_dir / "trash" / f"{job.id}-12345678"
    videos_dir.rename(trash)  # killed between the two steps of deleting the files
    (trash / "source").unlink()
    bench.now_s += 2 * HOUR
    bench.retention.sweep()
    assert bench.leaves_nothing_of(job)


def test_a_job_deleted_by_its_owner_leaves_nothing_either(make: list[Bench], tmp_path: Path) -> None:
    bench = start(make, tmp_path, None)
    job = bench.job()
    bench.jobs.delete(job.id)
    assert bench.leaves_nothing_of(job)


def test_a_database_of_an_older_version_gets_the_new_columns(tmp_path: Path) -> None:
    settings = red_settings(tmp_path)
    engine = open_database(settings)
    with engine.begin() as connection:
        for column in ("caller", "retention_hours"):
            connection.execute(sa.text(f"ALTER TABLE {jobs_table.name} DROP COLUMN {column}"))
    engine.dispose()
    engine = open_database(settings)
    there = {column["name"] for column in sa.inspect(engine).get_columns(jobs_table.name)}
    assert {"caller", "retention_hours"} <= there
    engine.dispose()
