"""Work that nobody is at goes back into its queue, once."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from dbos import DBOS, DBOSClient

from service.settings import Settings
from service.storage.opening import open_store
from service.video.jobs.database import database_url, jobs, now, open_database, workers
from service.video.jobs.heartbeat import LEASE_SECONDS, beat, known
from service.video.jobs.queueing import APPLICATION, APPLICATION_VERSION, JOB_WORKFLOW, QUEUE_OF, WINDOW_WORKFLOW
from service.video.workers.takeover import TakeOver

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")


class Queues:
    """The tables of DBOS as processes would leave them."""

    def __init__(self, settings: Settings, engine: sa.Engine) -> None:
        self.engine = engine
        DBOS.migrate(database_url(settings))
        self.client = DBOSClient(system_database_engine=engine, application_name=APPLICATION)

    def begun(self, task: str, workflow: str, worker: str) -> None:
        """A task that a worker has taken from its queue."""
        partition = {"queue_partition_key": task.partition("/")[0]} if workflow == WINDOW_WORKFLOW else {}
        self.client.enqueue(
            {
                "workflow_name": workflow,
                "queue_name": QUEUE_OF[workflow],
                "workflow_id": task,
                "app_version": APPLICATION_VERSION,
                **partition,
            },
            task,
        )
        self.write(task, status="PENDING", executor_id=worker)

    def write(self, task: str, **values: str) -> None:
        table = sa.Table("workflow_status", sa.MetaData(), autoload_with=self.engine)
        with self.engine.begin() as connection:
            connection.execute(sa.update(table).where(table.c.workflow_uuid == task).values(**values))

    def state(self, task: str) -> tuple[str, str | None]:
        (found,) = self.client.list_workflows(workflow_ids=[task])
        return found.status, found.queue_name


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path)


@pytest.fixture
def queues(settings: Settings) -> Iterator[Queues]:
    engine = open_database(settings)
    made = Queues(settings, engine)
    yield made
    made.client.destroy()
    engine.dispose()


def die(engine: sa.Engine, worker_id: str) -> None:
    with engine.begin() as connection:
        gone = now() - LEASE_SECONDS - 1
        connection.execute(sa.update(workers).where(workers.c.id == worker_id).values(seen_at=gone))


def test_the_work_of_the_dead_goes_back_to_the_queues_that_it_came_from(settings: Settings, queues: Queues) -> None:
    beat(queues.engine, "dead")
    queues.begun("job", JOB_WORKFLOW, "dead")
    queues.begun("job/0", WINDOW_WORKFLOW, "dead")
    taking = TakeOver(queues.engine, open_store(settings), "me")
    taking.from_the_dead()
    assert queues.state("job")[0] == "PENDING", "taken from the living"
    die(queues.engine, "dead")
    taking.from_the_dead()
    assert queues.state("job") == ("ENQUEUED", QUEUE_OF[JOB_WORKFLOW])
    assert queues.state("job/0") == ("ENQUEUED", QUEUE_OF[WINDOW_WORKFLOW])
    assert "dead" not in known(queues.engine)


def test_work_that_another_is_taking_over_is_left_to_it(settings: Settings, queues: Queues) -> None:
    beat(queues.engine, "dead")
    queues.begun("job", JOB_WORKFLOW, "dead")
    die(queues.engine, "dead")
    with queues.engine.begin() as connection:
        connection.execute(sa.update(workers).values(claimed_at=now()))
    TakeOver(queues.engine, open_store(settings), "me").from_the_dead()
    assert queues.state("job")[0] == "PENDING"


def test_a_predecessors_work_is_taken_over_before_its_lease_has_run_out(settings: Settings, queues: Queues) -> None:
    beat(queues.engine, "before")
    queues.begun("job", JOB_WORKFLOW, "before")
    TakeOver(queues.engine, open_store(settings), "me").from_predecessors(["before"])
    assert queues.state("job")[0] == "ENQUEUED"


def test_what_was_lost_on_the_way_from_the_queue_is_queued_again_when_seen_twice(
    settings: Settings, queues: Queues
) -> None:
    queues.begun("lost", JOB_WORKFLOW, "me")
    queues.begun("at work", JOB_WORKFLOW, "me")
    taking = TakeOver(queues.engine, open_store(settings), "me")
    taking.from_itself({"at work"})
    assert queues.state("lost")[0] == "PENDING", "it may just be on its way"
    taking.from_itself({"at work"})
    assert queues.state("lost")[0] == "ENQUEUED"
    assert queues.state("at work")[0] == "PENDING"


def test_a_worker_that_leaves_gives_back_what_it_was_at(settings: Settings, queues: Queues) -> None:
    beat(queues.engine, "me")
    queues.begun("job", JOB_WORKFLOW, "me")
    queues.begun("other", JOB_WORKFLOW, "another")
    TakeOver(queues.engine, open_store(settings), "me").leave()
    assert queues.state("job")[0] == "ENQUEUED"
    assert queues.state("other")[0] == "PENDING"
    assert known(queues.engine) == set()


def test_a_sweep_forgets_tasks_that_have_ended_but_not_those_of_running_jobs(
    settings: Settings, queues: Queues
) -> None:
    for task, workflow in (("gone", JOB_WORKFLOW), ("gone/0", WINDOW_WORKFLOW), ("running/0", WINDOW_WORKFLOW)):
        queues.begun(task, workflow, "me")
        queues.write(task, status="CANCELLED" if task == "gone/0" else "SUCCESS")
    queues.begun("running", JOB_WORKFLOW, "me")
    with queues.engine.begin() as connection:
        columns = {"model": "red", "version": 1, "options": {}, "input": {}, "sha256": "", "created_at": 0.0}
        connection.execute(sa.insert(jobs).values(id="running", status="running", frames_damaged=0, **columns))
    TakeOver(queues.engine, open_store(settings), "me").sweep()
    assert {entry.workflow_id for entry in queues.client.list_workflows()} == {"running", "running/0"}
