"""A worker process: takes jobs from the queue and does their steps, each recorded by DBOS once it is done.

A worker that is killed leaves its job pending. The next worker that starts in its place, or any other once the lease
has run out, goes on after the last recorded step.
"""

import fcntl
import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import cv2
import sqlalchemy as sa
from dbos import DBOS

from service.settings import Settings
from service.storage import Storage
from service.video.database import database_url, open_database
from service.video.heartbeat import BEAT_SECONDS, LEASE_SECONDS, alive, beat, leave
from service.video.queueing import APPLICATION, APPLICATION_VERSION, QUEUE, WORKFLOW
from service.video.records import JobTable
from service.video.runner import Cancelled, Runner

log = logging.getLogger(__name__)

_QUEUE_POLL_SECONDS = 0.5
_ABANDON_SECONDS = 5.0
"""Part of the grace that is kept for dropping a segment and closing the database."""
_SWEEP_SECONDS = 600.0


def run(settings: Settings) -> None:
    """Work until SIGTERM or SIGINT; the segment at work may end within the grace, else it is dropped and done again."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    cv2.setNumThreads(1)  # the stages run beside each other already
    logging.getLogger("dbos").setLevel(logging.WARNING)
    engine = open_database(settings)
    with _slot(settings) as worker_id:
        beat(engine, worker_id)
        runner = Runner(settings, engine)
        finished = _launch(settings, runner, worker_id)
        log.info("worker %s takes videos", worker_id)
        _keep_house(settings, engine, worker_id, stop)
        _drain(runner, finished, settings.shutdown_grace_seconds)
        DBOS.destroy()
        leave(engine, worker_id)
    engine.dispose()
    log.info("worker %s has ended", worker_id)


def _launch(settings: Settings, runner: Runner, worker_id: str) -> threading.Event:
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


def _keep_house(settings: Settings, engine: sa.Engine, worker_id: str, stop: threading.Event) -> None:
    """Until the end: say that we are alive, take over from the dead, remove what crashes left."""
    storage = Storage(settings.data_dir, settings.min_free_disk_gigabytes)
    swept_at = taken_at = 0.0
    while not stop.wait(BEAT_SECONDS):
        try:
            beat(engine, worker_id)
            if time.monotonic() - taken_at > LEASE_SECONDS / 2:
                taken_at = time.monotonic()
                _take_over(engine)
            if time.monotonic() - swept_at > _SWEEP_SECONDS:
                swept_at = time.monotonic()
                known = JobTable(engine).ids()
                storage.sweep(known)
                _forget(known)
        except Exception:
            log.exception("housekeeping failed; next try in %g s", BEAT_SECONDS)


def _take_over(engine: sa.Engine) -> None:
    """Queue again the jobs of workers that have not been seen for the length of the lease."""
    pending = DBOS.list_workflows(status="PENDING", name=WORKFLOW, load_input=False, load_output=False)
    dead = {entry.executor_id for entry in pending if entry.executor_id} - alive(engine)
    if dead:
        log.warning("taking over the videos of %s", ", ".join(sorted(dead)))
        # The call that DBOS's own console makes; it queues a job only while it still belongs to the dead worker.
        DBOS._recover_pending_workflows(sorted(dead))


def _forget(known: set[str]) -> None:
    """Remove DBOS's record of ended jobs that were deleted."""
    for status in ("SUCCESS", "ERROR"):
        ended = DBOS.list_workflows(status=status, name=WORKFLOW, load_input=False, load_output=False)
        for entry in ended:
            if entry.workflow_id not in known:
                DBOS.delete_workflow(entry.workflow_id)


def _drain(runner: Runner, idle: threading.Event, grace_seconds: float) -> None:
    """Let the segment at work end, then drop it."""
    runner.stopping.set()
    if not idle.wait(max(0.0, grace_seconds - _ABANDON_SECONDS)):
        runner.abandoning.set()
        idle.wait(_ABANDON_SECONDS)


@contextmanager
def _slot(settings: Settings) -> Iterator[str]:
    """An identity that no other living worker has; the next worker in the same place has it again.

    The lock on a slot's file ends with its process, however that ends, so who starts after a kill takes the dead one's
    slot and with it, at once, its jobs.
    """
    folder = settings.data_dir / "workers"
    folder.mkdir(parents=True, exist_ok=True)
    number = 0
    while True:
        descriptor = os.open(folder / f"{number}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            os.close(descriptor)
            number += 1
    try:
        yield f"{socket.gethostname()}:{number}"
    finally:
        os.close(descriptor)
