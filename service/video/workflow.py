"""The job as a DBOS workflow: every step is recorded once it is done, and not done again after a crash."""

import logging
import threading

import sqlalchemy as sa
from dbos import DBOS

from service.settings import Settings
from service.storage import Storage
from service.video.database import database_url
from service.video.heartbeat import alive
from service.video.queueing import APPLICATION, APPLICATION_VERSION, QUEUE, WORKFLOW
from service.video.records import JobTable
from service.video.runner import Cancelled, Runner

log = logging.getLogger(__name__)

_QUEUE_POLL_SECONDS = 0.5


def launch(settings: Settings, runner: Runner, worker_id: str) -> threading.Event:
    """Start DBOS with the workflow; the event tells whether no job is at work."""
    idle = threading.Event()
    idle.set()
    DBOS(
        config={
            "name": APPLICATION,
            "system_database_url": database_url(settings),
            "application_version": APPLICATION_VERSION,
            "executor_id": worker_id,
            "enable_otlp": False,
            "log_level": "WARNING",
        }
    )

    @DBOS.workflow(name=WORKFLOW)
    def process_video(job_id: str) -> None:
        idle.clear()
        try:
            _process(runner, job_id)
        finally:
            idle.set()

    DBOS.launch()
    DBOS.register_queue(
        QUEUE, worker_concurrency=1, polling_interval_sec=_QUEUE_POLL_SECONDS, on_conflict="always_update"
    )
    return idle


def _process(runner: Runner, job_id: str) -> None:
    """The workflow. A step that is recorded is not done again when the workflow goes on in another process."""
    try:
        count = DBOS.run_step({"name": "begin"}, runner.begin, job_id)
        for number in range(count):
            DBOS.run_step({"name": f"segment-{number}"}, runner.segment, job_id, number)
        DBOS.run_step({"name": "finish"}, runner.finish, job_id)
    except Cancelled:
        runner.cancelled(job_id)
    except Exception as error:  # noqa: BLE001  (a job's failure is its own; it is noted and logged there)
        runner.failed(job_id, error)


def take_over(engine: sa.Engine) -> None:
    """Queue again the jobs of workers that have not been seen for the length of the lease."""
    pending = DBOS.list_workflows(status="PENDING", name=WORKFLOW, load_input=False, load_output=False)
    dead = {entry.executor_id for entry in pending if entry.executor_id} - alive(engine)
    if dead:
        log.warning("taking over the videos of %s", ", ".join(sorted(dead)))
        # The call that DBOS's own console makes; it queues a job only while it still belongs to the dead worker.
        DBOS._recover_pending_workflows(sorted(dead))


def sweep(engine: sa.Engine, storage: Storage) -> None:
    """Remove what crashes and deletions left: files, and DBOS's record of ended jobs that are gone."""
    known = JobTable(engine).ids()
    storage.sweep(known)
    for status in ("SUCCESS", "ERROR"):
        ended = DBOS.list_workflows(status=status, name=WORKFLOW, load_input=False, load_output=False)
        for entry in ended:
            if entry.workflow_id not in known:
                DBOS.delete_workflow(entry.workflow_id)


def shut_down() -> None:
    DBOS.destroy()
