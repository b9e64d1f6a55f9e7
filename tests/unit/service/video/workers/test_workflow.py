"""A worker's queues: a job that has ended makes room, and DBOS asks through the engine that it was given."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import cast

import pytest
import sqlalchemy as sa
from dbos import DBOS, DBOSClient

from service.errors import NotReady, UndecodableVideo
from service.settings import Settings
from service.video.jobs.database import open_database, open_queue_database
from service.video.jobs.queueing import APPLICATION, APPLICATION_VERSION, JOB_WORKFLOW, JOBS_QUEUE
from service.video.jobs.records import JobTable
from service.video.workers.outage import Outage
from service.video.workers.runner import Runner
from service.video.workers.workflow import launch, shut_down
from tests.support.postgres import needs_postgres, running_postgres
from tests.support.running import red_settings
from tests.support.waiting import wait_until

OUTAGE_MINUTES = 60.0

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")


class FailingRunner:
    """Its jobs can't be done, and their store is away when they have ended."""

    def __init__(self) -> None:
        self.ended: list[str] = []
        self.cleared_up: list[str] = []

    def begin(self, job_id: str) -> int:
        raise UndecodableVideo("no video")

    def failed(self, job_id: str, error: Exception) -> None:
        self.ended.append(job_id)

    def cancelled(self, job_id: str) -> None:
        """It has ended."""

    def clear_up(self, job_id: str) -> None:
        self.cleared_up.append(job_id)
        raise NotReady("the object store does not answer")


@contextmanager
def launched(settings: Settings, runner: FailingRunner) -> Iterator[sa.Engine]:
    """A worker's queues on the job database."""
    engine, queue_engine, stopped = open_database(settings), open_queue_database(settings), Event()
    outage = Outage(JobTable(engine), stopped, OUTAGE_MINUTES)
    launch(settings, cast(Runner, runner), outage, "worker", queue_engine)
    try:
        yield engine
    finally:
        stopped.set()
        shut_down()
        for opened in filter(None, (engine, queue_engine)):
            opened.dispose()


def test_a_job_that_failed_makes_room_for_the_next_though_its_store_is_away(tmp_path: Path) -> None:
    runner = FailingRunner()
    with launched(red_settings(tmp_path, max_running_videos=1), runner) as engine:
        client = DBOSClient(system_database_engine=engine, application_name=APPLICATION)
        for job in ("first", "second"):
            client.enqueue(
                {
                    "workflow_name": JOB_WORKFLOW,
                    "queue_name": JOBS_QUEUE,
                    "workflow_id": job,
                    "app_version": APPLICATION_VERSION,
                },
                job,
            )
        wait_until(lambda: set(runner.cleared_up) == {"first", "second"}, "the first keeps its place")
        assert sorted(runner.ended) == sorted(runner.cleared_up), "it is tried once"
        client.destroy()


@needs_postgres
def test_every_connection_of_the_queues_is_of_the_engine_that_was_given(tmp_path: Path) -> None:
    with running_postgres() as postgres:
        settings = red_settings(tmp_path, database_url=f"{postgres.url}?application_name=ours")
        with launched(settings, FailingRunner()):
            assert DBOS.list_workflows() == []
            names = set(
                postgres.ask("SELECT application_name FROM pg_stat_activity WHERE backend_type = 'client backend'")
            )
            assert names == {"ours", "psql"}
