"""An object store that is away, for a while or for too long."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from service.errors import NotReady
from service.video.jobs.database import jobs, now, open_database
from service.video.jobs.records import JobTable
from service.video.workers.failures import MOST_TRIES, describe
from service.video.workers.outage import Outage
from service.video.workers.patience import Stopping
from tests.support.failing_steps import Impatient, Step
from tests.support.running import red_settings

JOB = "job"
AWAY = NotReady("the object store does not answer")
MINUTES = 30.0


class Clock(Impatient):
    """An event whose waits take no time, and a clock that they move."""

    def __call__(self) -> float:
        return sum(self.waits)


class Bench:
    def __init__(self, folder: Path) -> None:
        self.engine = open_database(red_settings(folder))
        self.table = JobTable(self.engine)
        self.clock = Clock()
        self.outage = Outage(self.table, self.clock, MINUTES, self.clock)
        columns = {"model": "red", "version": 1, "options": {}, "input": {}, "sha256": ""}
        with self.engine.begin() as connection:
            self.table.insert(connection, id=JOB, **columns)
        self.table.begin(JOB)

    def has_waited(self, minutes: float) -> None:
        """As a worker would leave it that was killed meanwhile."""
        with self.engine.begin() as connection:
            connection.execute(sa.update(jobs).values(waiting_since=now() - 60 * minutes))


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.engine.dispose()


class WatchedStep(Step):
    """Notes what the job says of its waiting, at each call."""

    def __init__(self, table: JobTable, *errors: Exception) -> None:
        super().__init__(*errors)
        self._table = table
        self.waits: list[bool] = []

    def __call__(self, _job: str = JOB) -> int:
        self.waits.append(self._table.get(JOB).waiting_since is not None)
        return super().__call__()


def test_a_step_goes_on_once_the_store_is_back_and_the_job_says_meanwhile_that_it_waits(bench: Bench) -> None:
    step = WatchedStep(bench.table, *[AWAY] * 20)
    assert bench.outage.outlast(step, JOB) == 7
    assert step.waits == [False] + [True] * 20
    assert bench.table.get(JOB).waiting_since is None
    assert bench.clock.waits == [5.0] * 20


def test_a_job_does_not_wait_for_ever(bench: Bench) -> None:
    step = WatchedStep(bench.table, *[AWAY] * 10_000)
    with pytest.raises(NotReady, match=r"more than 30 minutes \(ENDOMASK_STORAGE_OUTAGE_MINUTES\)") as raised:
        bench.outage.outlast(step, JOB)
    assert bench.clock() == 60 * MINUTES
    told = describe(raised.value)
    assert told.code == "not_ready"
    assert "not the video's fault: send it again later" in str(told)


def test_the_wait_of_a_killed_worker_counts(bench: Bench) -> None:
    bench.has_waited(MINUTES + 1)
    with pytest.raises(NotReady, match="more than 30 minutes"):
        bench.outage.outlast(WatchedStep(bench.table, AWAY), JOB)
    assert not bench.clock.waits


def test_the_next_worker_ends_the_wait_of_a_killed_one(bench: Bench) -> None:
    bench.has_waited(1)
    assert bench.outage.outlast(WatchedStep(bench.table), JOB) == 7
    assert bench.table.get(JOB).waiting_since is None


def test_a_job_that_ends_waits_no_more(bench: Bench) -> None:
    bench.has_waited(1)
    bench.table.end(JOB, "failed")
    assert bench.table.get(JOB).waiting_since is None


def test_a_step_of_a_job_that_was_deleted_meanwhile_is_done_again_too(bench: Bench) -> None:
    bench.table.delete(JOB)
    step = Step(AWAY, AWAY)
    assert bench.outage.outlast(lambda _job: step(), JOB) == 7


def test_a_worker_that_ends_does_not_wait(bench: Bench) -> None:
    bench.clock.set()
    with pytest.raises(Stopping):
        bench.outage.outlast(WatchedStep(bench.table, AWAY), JOB)


def test_other_failures_are_counted_as_ever(bench: Bench) -> None:
    step = WatchedStep(bench.table, *[OSError("hiccup")] * 100)
    with pytest.raises(OSError, match="hiccup"):
        bench.outage.outlast(step, JOB)
    assert step.calls == MOST_TRIES
