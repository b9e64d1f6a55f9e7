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
from typing import TYPE_CHECKING

import sqlalchemy as sa

from service.settings import Settings
from service.storage import Storage
from service.video.database import open_database
from service.video.heartbeat import BEAT_SECONDS, LEASE_SECONDS, beat, leave

if TYPE_CHECKING:
    from service.video.runner import Runner

log = logging.getLogger(__name__)

_ABANDON_SECONDS = 5.0
"""Part of the grace that is kept for dropping a segment and closing the database."""
_SWEEP_SECONDS = 600.0


def run(settings: Settings) -> None:
    """Work until SIGTERM or SIGINT; the segment at work may end within the grace, else it is dropped and done again."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    logging.getLogger("dbos").setLevel(logging.WARNING)
    engine = open_database(settings)
    with _slot(settings) as worker_id:
        beat(engine, worker_id)
        _work(settings, engine, worker_id, stop)
        leave(engine, worker_id)
    engine.dispose()
    log.info("worker %s has ended", worker_id)


def _work(settings: Settings, engine: sa.Engine, worker_id: str, stop: threading.Event) -> None:
    """Imports what takes long only now: a worker says first that it is there."""
    import cv2  # noqa: PLC0415

    from service.video.runner import Runner  # noqa: PLC0415
    from service.video.workflow import launch, shut_down  # noqa: PLC0415

    cv2.setNumThreads(1)  # the stages run beside each other already
    runner = Runner(settings, engine)
    idle = launch(settings, runner, worker_id)
    log.info("worker %s takes videos", worker_id)
    _keep_house(settings, engine, worker_id, stop)
    _drain(runner, idle, settings.shutdown_grace_seconds)
    shut_down()


def _keep_house(settings: Settings, engine: sa.Engine, worker_id: str, stop: threading.Event) -> None:
    """Until the end: say that we are alive, take over from the dead, remove what crashes left."""
    from service.video.workflow import sweep, take_over  # noqa: PLC0415

    storage = Storage(settings.data_dir, settings.min_free_disk_gigabytes)
    swept_at = taken_at = 0.0
    while not stop.wait(BEAT_SECONDS):
        try:
            beat(engine, worker_id)
            if time.monotonic() - taken_at > LEASE_SECONDS / 2:
                taken_at = time.monotonic()
                take_over(engine)
            if time.monotonic() - swept_at > _SWEEP_SECONDS:
                swept_at = time.monotonic()
                sweep(engine, storage)
        except Exception:
            log.exception("housekeeping failed; next try in %g s", BEAT_SECONDS)


def _drain(runner: "Runner", idle: threading.Event, grace_seconds: float) -> None:
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
