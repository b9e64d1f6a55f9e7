"""A worker process: takes jobs and their windows from the queues and does their steps, each recorded once it is done.

A worker that is killed leaves its work pending. The next worker that starts in its place takes it over at once, or any
other once the lease has run out, and goes on after the last recorded step.
"""

import logging
import math
import signal
import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import sqlalchemy as sa

from service.memory import share_heaps
from service.settings import Settings
from service.video.jobs.database import open_database, open_queue_database
from service.video.jobs.heartbeat import BEAT_SECONDS, Rounds, beat
from service.video.workers.slot import Slot, slot

if TYPE_CHECKING:
    from service.video.workers.takeover import TakeOver
    from service.video.workers.workflow import Activity

log = logging.getLogger(__name__)

_ABANDON_SECONDS = 5.0
"""Part of the grace that is kept for dropping a segment and closing the database."""
_SWEEP_SECONDS = 600.0
_SWEEP_END_SECONDS = 2.0
"""How long the end waits for a sweep; what it leaves is done at the next."""


def run(settings: Settings) -> None:
    """Work until SIGTERM or SIGINT; the segment at work may end within the grace, else it is dropped and done again."""
    share_heaps()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    logging.getLogger("dbos").setLevel(logging.WARNING)
    engine = open_database(settings)
    with slot(settings.data_dir / "workers") as held:
        beat(engine, held.worker_id)
        _work(settings, engine, held, stop)
    engine.dispose()
    log.info("worker %s has ended", held.worker_id)


def _work(settings: Settings, engine: sa.Engine, held: Slot, stop: threading.Event) -> None:
    """Imports what takes long only now: a worker says first that it is there."""
    import cv2  # noqa: PLC0415

    from service.storage.opening import open_store  # noqa: PLC0415
    from service.video.decoding.confinement import fence_lacking  # noqa: PLC0415
    from service.video.jobs.records import JobTable  # noqa: PLC0415
    from service.video.workers.outage import Outage  # noqa: PLC0415
    from service.video.workers.retention import Retention  # noqa: PLC0415
    from service.video.workers.runner import Runner  # noqa: PLC0415
    from service.video.workers.takeover import TakeOver  # noqa: PLC0415
    from service.video.workers.unfinished import UnfinishedWork  # noqa: PLC0415
    from service.video.workers.workflow import launch, shut_down  # noqa: PLC0415

    cv2.setNumThreads(1)  # the stages run beside each other already
    store = open_store(settings)
    runner = Runner(settings, engine, store)
    outage = Outage(JobTable(engine), runner.stopping, settings.storage_outage_minutes)
    queue_engine = open_queue_database(settings)
    activity = launch(settings, runner, outage, held.worker_id, queue_engine)
    log.info("worker %s takes videos", held.worker_id)
    if lacking := fence_lacking():
        log.warning("the video decoder can open nothing, but the kernel does not fence it in: %s", lacking)
    taking = TakeOver(engine, store, held.worker_id)
    sweeper = Sweeper([taking.sweep, UnfinishedWork(engine, store).sweep, Retention(settings, engine, store).sweep])
    _keep_house(engine, held, taking, sweeper, activity, stop)
    runner.stopping.set()
    if not activity.wait_until_idle(settings.shutdown_grace_seconds - _ABANDON_SECONDS):
        runner.abandoning.set()
        activity.wait_until_idle(_ABANDON_SECONDS)
    sweeper.wait(_SWEEP_END_SECONDS)
    shut_down()
    if queue_engine is not None:
        queue_engine.dispose()
    taking.leave()
    store.close()


class Sweeper:
    """Sweeps now and then, one round at a time, in a thread of its own: a round may last longer than the lease, and the
    worker's heart beats on."""

    def __init__(self, sweeps: Sequence[Callable[[], None]], every_seconds: float = _SWEEP_SECONDS) -> None:
        self._sweeps = sweeps
        self._every_seconds = every_seconds
        self._begun_at = -math.inf
        self._thread: threading.Thread | None = None

    def sweep_if_due(self) -> None:
        """Begin a round, unless one is going on or the last one began a short while ago."""
        if self._thread is not None and self._thread.is_alive():
            return
        if time.monotonic() - self._begun_at >= self._every_seconds:
            self._begun_at = time.monotonic()
            self._thread = threading.Thread(target=self._sweep, name="sweep", daemon=True)
            self._thread.start()

    def wait(self, seconds: float) -> None:
        """Let a round that is going on come to its end, but not for longer."""
        if self._thread is not None:
            self._thread.join(seconds)

    def _sweep(self) -> None:
        for sweep in self._sweeps:
            try:
                sweep()
            except Exception:
                log.exception("a sweep failed; next try in %g s", self._every_seconds)


def _keep_house(
    engine: sa.Engine,
    held: Slot,
    taking: "TakeOver",
    sweeper: Sweeper,
    activity: "Activity",
    stop: threading.Event,
) -> None:
    """Until the end: say that we are alive, take over from the dead, remove what crashes left and what has expired."""
    rounds = Rounds()
    settled = False
    while not stop.wait(BEAT_SECONDS if settled else 0):
        try:
            beat(engine, held.worker_id)
            rounds.beaten()
            if not settled:
                taking.from_predecessors(held.dead)
                held.settle()
                settled = True
            if rounds.due():
                taking.from_the_dead()
                taking.from_itself(activity.ids())
            sweeper.sweep_if_due()
        except Exception:
            log.exception("housekeeping failed; next try in %g s", BEAT_SECONDS)
            stop.wait(BEAT_SECONDS)
