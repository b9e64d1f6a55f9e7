"""The steps of a job, done by hand: what is counted, what is given up, and how a job that ended stops them."""

import errno
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from service.errors import TooManyPixels, UndecodableVideo, WorkerDied
from service.settings import Settings
from service.storage.opening import open_store
from service.video.decoding.limits import DecoderLimits
from service.video.jobs.database import open_database
from service.video.jobs.records import JobTable
from service.video.options import VideoOptions
from service.video.segments.reader import probe
from service.video.workers.failures import MOST_DEATHS
from service.video.workers.patience import Stopping
from service.video.workers.runner import Cancelled, Runner
from tests.support import videos
from tests.support.running import red_settings

JOB = "11111111-2222-3333-4444-555555555555"
SEGMENTS = 3
FRAMES = 30


class Bench:
    """A job of three segments, queued in a database of its own."""

    def __init__(self, folder: Path) -> None:
        self.settings: Settings = red_settings(folder)
        self.engine = open_database(self.settings)
        self.table = JobTable(self.engine)
        self.store = open_store(self.settings)
        self.runner = Runner(self.settings, self.engine, self.store)
        upload = videos.write_video(self.store.data.new_upload().with_suffix(".mp4"), frames=FRAMES)
        info = probe(upload, DecoderLimits())
        self.store.adopt(upload, JOB)
        columns: dict[str, Any] = {
            "model": "red",
            "version": 1,
            "options": VideoOptions(segment_seconds=FRAMES / videos.FPS / SEGMENTS, outputs=("frames",)).stored(),
            "input": asdict(info),
            "sha256": "",
            "frames_damaged": 0,
        }
        with self.engine.begin() as connection:
            self.table.insert(connection, id=JOB, frames_done=0, cancel_requested=False, **columns)

    def counted(self) -> int:
        return sum(frames for _, frames, _ in self.table.counters())


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.engine.dispose()


def die_in(bench: Bench, step: str) -> None:
    """What a killed worker leaves: a step that was begun and came to no end."""
    bench.table.begin_step(JOB, step)


def test_steps_make_a_finished_job(bench: Bench) -> None:
    assert bench.runner.begin(JOB) == SEGMENTS
    for number in range(SEGMENTS):
        bench.runner.segment(JOB, number)
    bench.runner.watch(JOB, SEGMENTS)
    assert bench.table.get(JOB).frames_done == FRAMES
    bench.runner.finish(JOB)
    job = bench.table.get(JOB)
    assert (job.status, bench.counted()) == ("succeeded", FRAMES)
    assert len((bench.store.place(JOB).results / "frames.csv").read_text().splitlines()) == FRAMES + 1
    assert not bench.store.place(JOB).segments.exists()


def test_putting_together_leaves_nothing_of_a_try_that_was_killed(bench: Bench) -> None:
    left = bench.store.place(JOB).results / "unfinished-killed"
    left.mkdir()
    test_steps_make_a_finished_job(bench)
    assert sorted(path.name for path in bench.store.place(JOB).results.iterdir()) == [
        "frames.csv",
        "frames.jsonl",
        "frames.parquet",
        "summary.json",
    ]


def test_frames_are_counted_once_however_often_a_segment_is_repeated(bench: Bench) -> None:
    bench.runner.begin(JOB)
    for _ in range(3):
        bench.runner.segment(JOB, 0)
    assert bench.counted() == bench.table.progress(JOB).frames_done == FRAMES // SEGMENTS
    assert bench.table.progress(JOB).segments_done == 1


def test_a_segment_that_is_begun_again_stays_done(bench: Bench) -> None:
    bench.table.begin_step(JOB, "segment-0")
    bench.table.end_step(JOB, "segment-0", "red", 7, 3, 10)
    bench.table.begin_step(JOB, "segment-0")
    assert bench.table.progress(JOB).frames_done == 10
    bench.table.report_step(JOB, "segment-0", 7)
    assert bench.table.progress(JOB).frames_done == 10


def test_a_job_that_is_deleted_while_it_ends_leaves_nothing(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.runner.begin(JOB)
    for number in range(SEGMENTS):
        bench.runner.segment(JOB, number)

    def publish(job_id: str, _names: Sequence[str]) -> None:
        bench.table.delete(job_id)

    monkeypatch.setattr(bench.store, "publish", publish)
    with pytest.raises(Cancelled):
        bench.runner.finish(JOB)
    bench.runner.cancelled(JOB)
    bench.runner.clear_up(JOB)
    assert not bench.store.place(JOB).source.parent.exists()


def test_files_that_go_with_their_job_are_no_fault(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.runner.begin(JOB)
    for number in range(SEGMENTS):
        bench.runner.segment(JOB, number)

    def take(job_id: str, _pieces: Sequence[str]) -> None:
        bench.table.cancel(job_id)
        bench.store.place(job_id).results.rename(bench.settings.data_dir / "away")

    monkeypatch.setattr(bench.store, "take", take)
    with pytest.raises(Cancelled):
        bench.runner.finish(JOB)


def test_a_finished_job_stays_as_it_is_when_its_last_step_is_repeated(bench: Bench) -> None:
    test_steps_make_a_finished_job(bench)
    before = bench.table.get(JOB)
    with pytest.raises(Cancelled):
        bench.runner.finish(JOB)
    bench.runner.cancelled(JOB)
    bench.runner.clear_up(JOB)
    assert bench.table.get(JOB) == before
    assert bench.store.result(JOB, "summary.json").size


@pytest.mark.parametrize("step", ["index", "segment-1", "finish"])
def test_a_step_that_killed_its_worker_again_and_again_is_not_begun_any_more(bench: Bench, step: str) -> None:
    run = {
        "index": lambda: bench.runner.begin(JOB),
        "segment-1": lambda: bench.runner.segment(JOB, 1),
        "finish": lambda: bench.runner.finish(JOB),
    }[step]
    if step != "index":
        bench.runner.begin(JOB)
    for _ in range(MOST_DEATHS):
        die_in(bench, step)
    with pytest.raises(WorkerDied, match=f"{MOST_DEATHS} workers died there"):
        run()


def test_a_step_that_ends_in_good_order_does_not_count_as_a_death(bench: Bench) -> None:
    bench.runner.begin(JOB)
    folder, away = bench.store.place(JOB).segments, bench.store.place(JOB).results / "away"
    folder.rename(away)
    for _ in range(MOST_DEATHS + 1):
        with pytest.raises(OSError, match=f"Errno {errno.ENOENT}"):
            bench.runner.segment(JOB, 0)
    away.rename(folder)
    bench.runner.segment(JOB, 0)
    assert bench.counted() == FRAMES // SEGMENTS


@pytest.mark.parametrize("how", ["cancelled", "deleted", "failed"])
def test_no_step_of_a_job_that_is_not_wanted_any_more_is_done(bench: Bench, how: str) -> None:
    bench.runner.begin(JOB)
    if how == "cancelled":
        bench.table.cancel(JOB)
    elif how == "deleted":
        bench.table.delete(JOB)
    else:
        bench.runner.failed(JOB, UndecodableVideo("broken"))
    for step in (
        lambda: bench.runner.segment(JOB, 0),
        lambda: bench.runner.watch(JOB, SEGMENTS),
        lambda: bench.runner.finish(JOB),
    ):
        with pytest.raises(Cancelled):
            step()
    assert bench.counted() == 0


def test_the_first_failure_of_a_job_is_the_one_that_is_told(bench: Bench) -> None:
    bench.runner.begin(JOB)
    bench.runner.failed(JOB, TooManyPixels("too many"))
    bench.runner.failed(JOB, UndecodableVideo("later"))
    bench.runner.cancelled(JOB)
    bench.runner.clear_up(JOB)
    job = bench.table.get(JOB)
    assert (job.status, job.error_code, job.error_detail) == ("failed", "too_many_pixels", "too many")
    assert not bench.store.place(JOB).segments.exists()


def test_a_worker_that_ends_begins_no_step_and_leaves_the_job_as_it_is(bench: Bench) -> None:
    bench.runner.begin(JOB)
    bench.runner.stopping.set()
    with pytest.raises(Stopping):
        bench.runner.segment(JOB, 0)
    with pytest.raises(Stopping):
        bench.runner.watch(JOB, SEGMENTS)
    assert bench.table.get(JOB).status == "running"


def test_a_segment_at_work_is_dropped_when_the_grace_is_over(bench: Bench) -> None:
    bench.runner.begin(JOB)
    bench.runner.abandoning.set()
    with pytest.raises(Stopping):
        bench.runner.segment(JOB, 0)
    assert bench.counted() == 0
    assert not list(bench.store.place(JOB).segments.glob("00000*"))


def test_watching_ends_once_another_has_done_the_last_segment(bench: Bench) -> None:
    bench.runner.begin(JOB)
    engine = open_database(bench.settings)
    other = Runner(bench.settings, engine, bench.store)
    with ThreadPoolExecutor(1) as pool:
        watching = pool.submit(bench.runner.watch, JOB, SEGMENTS)
        for number in range(SEGMENTS):
            assert not watching.done()
            other.segment(JOB, number)
        watching.result(60)
    assert bench.table.get(JOB).frames_done == FRAMES
    engine.dispose()
