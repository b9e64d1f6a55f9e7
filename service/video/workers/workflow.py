"""The job as DBOS workflows: every step is recorded once it is done, and not done again after a crash.

The job's workflow indexes the video, queues its windows, waits until workers have done them all, and puts the results
together. A window's workflow does its segments, each a step.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Condition
from typing import Concatenate, ParamSpec, TypeVar

import sqlalchemy as sa
from dbos import DBOS, SetEnqueueOptions, SetWorkflowID

from service.errors import NotReady
from service.settings import Settings
from service.video.jobs.database import database_url
from service.video.jobs.queueing import (
    APPLICATION,
    APPLICATION_VERSION,
    JOB_WORKFLOW,
    JOBS_QUEUE,
    WINDOW_WORKFLOW,
    WINDOWS_QUEUE,
    plan_windows,
    window_id,
)
from service.video.segments.shared_reader import SharedReader
from service.video.workers.outage import Outage
from service.video.workers.runner import Cancelled, Runner

P = ParamSpec("P")
T = TypeVar("T")

log = logging.getLogger(__name__)

_QUEUE_POLL_SECONDS = 0.5


class Activity:
    """The workflows that this process is at."""

    def __init__(self) -> None:
        self._ids: set[str] = set()
        self._changed = Condition()

    @contextmanager
    def at(self, workflow_id: str) -> Iterator[None]:
        with self._changed:
            self._ids.add(workflow_id)
        try:
            yield
        finally:
            with self._changed:
                self._ids.discard(workflow_id)
                self._changed.notify_all()

    def ids(self) -> set[str]:
        with self._changed:
            return set(self._ids)

    def wait_until_idle(self, seconds: float) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: not self._ids, timeout=max(0.0, seconds))


def launch(
    settings: Settings, runner: Runner, outage: Outage, worker_id: str, queue_engine: sa.Engine | None
) -> Activity:
    """Start DBOS, on an engine that `open_queue_database` gave, and take work from its queues."""
    activity = Activity()
    DBOS(
        config={
            "name": APPLICATION,
            "system_database_url": database_url(settings),
            "system_database_engine": queue_engine,
            "application_version": APPLICATION_VERSION,
            "executor_id": worker_id,
            "enable_otlp": False,
            "log_level": "WARNING",
        }
    )

    @DBOS.workflow(name=WINDOW_WORKFLOW)
    def process_window(job_id: str, first: int, after: int) -> None:
        with activity.at(window_id(job_id, first)):
            _process_window(runner, outage, job_id, first, after)

    @DBOS.workflow(name=JOB_WORKFLOW)
    def process_video(job_id: str) -> None:
        with activity.at(job_id):
            _process_video(runner, outage, job_id, process_window)

    DBOS.launch()
    _register_queues(settings)
    return activity


def _register_queues(settings: Settings) -> None:
    """Jobs begin in their order, only so many at once. Their windows lie in a partition a job, and a worker that is
    free draws the partition by lot: so a short video passes a long one, and none waits for ever."""
    DBOS.register_queue(
        JOBS_QUEUE,
        global_concurrency=settings.max_running_videos,
        polling_interval_sec=_QUEUE_POLL_SECONDS,
        on_conflict="always_update",
    )
    DBOS.register_queue(
        WINDOWS_QUEUE,
        worker_concurrency=1,
        partition_worker_concurrency=1,
        polling_interval_sec=_QUEUE_POLL_SECONDS,
        on_conflict="always_update",
    )


def _process_video(
    runner: Runner, outage: Outage, job_id: str, process_window: Callable[[str, int, int], None]
) -> None:
    """The job's workflow. A step that is recorded is not done again when the workflow goes on in another process."""
    windows: list[str] = []
    try:
        segments = _step("begin", outage, runner.begin, job_id)
        for first, after in plan_windows(segments):
            windows.append(window_id(job_id, first))
            with SetWorkflowID(windows[-1]), SetEnqueueOptions(queue_partition_key=job_id):
                DBOS.enqueue_workflow(WINDOWS_QUEUE, process_window, job_id, first, after)
        runner.watch(job_id, segments)
        _step("finish", outage, runner.finish, job_id)
    except Cancelled:
        _drop(runner, job_id, windows)
    except Exception as error:  # noqa: BLE001  (a job's failure is its own; it is noted and logged there)
        runner.failed(job_id, error)
        _drop(runner, job_id, windows)


def _process_window(runner: Runner, outage: Outage, job_id: str, first: int, after: int) -> None:
    """A window's workflow. Its failure ends the job, whose own workflow sees that and clears up."""
    try:
        with SharedReader() as reader:
            for number in range(first, after):
                _step(f"segment-{number}", outage, runner.segment, job_id, number, reader)
    except Cancelled:
        log.debug("video %s is not wanted any more", job_id)
    except Exception as error:  # noqa: BLE001  (noted and logged there)
        runner.failed(job_id, error)


def _step(
    name: str, outage: Outage, work: Callable[Concatenate[str, P], T], job_id: str, *args: P.args, **kwargs: P.kwargs
) -> T:
    return DBOS.run_step({"name": name}, lambda: outage.outlast(work, job_id, *args, **kwargs))


def _drop(runner: Runner, job_id: str, windows: list[str]) -> None:
    """Take the windows that nobody has begun from the queue; those at work see by themselves that the job has ended.
    The files come last: their store may fail. It is not waited for, since other jobs wait for this one's slot."""
    runner.cancelled(job_id)
    if windows:
        DBOS.cancel_workflows(windows)
    try:
        runner.clear_up(job_id)
    except (NotReady, OSError) as error:
        log.warning("the unfinished work of video %s is left to the sweep: %s", job_id, error)


def shut_down() -> None:
    DBOS.destroy()
