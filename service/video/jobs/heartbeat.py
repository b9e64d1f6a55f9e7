"""Which workers are alive: each writes the database's time into its row every few seconds.

A worker whose row is older than the lease is dead; one living worker claims it and takes over what it was doing.
"""

import time
from collections.abc import Callable

import sqlalchemy as sa

from service.video.jobs.database import now, upsert, workers

BEAT_SECONDS = 2.0
LEASE_SECONDS = 20.0
"""A worker not seen for this long is dead."""
CHECK_SECONDS = 5.0
"""How often a worker looks for dead ones. The work of a killed worker goes on after at most the lease, this, and the
queue's poll; another such round if the worker that took over is killed in between."""


def beat(engine: sa.Engine, worker_id: str) -> None:
    """Say that a worker is alive."""
    with engine.begin() as connection:
        insert = upsert(connection, workers).values(id=worker_id, seen_at=now())
        seen = {"seen_at": now(), "claimed_at": None}
        connection.execute(insert.on_conflict_do_update(index_elements=[workers.c.id], set_=seen))


def leave(engine: sa.Engine, worker_id: str) -> None:
    """Say that a worker has ended and that nothing is left to take over from it."""
    with engine.begin() as connection:
        connection.execute(sa.delete(workers).where(workers.c.id == worker_id))


def alive(engine: sa.Engine) -> set[str]:
    """Workers seen within the lease."""
    with engine.connect() as connection:
        recent = workers.c.seen_at > now() - LEASE_SECONDS
        return set(connection.execute(sa.select(workers.c.id).where(recent)).scalars())


def known(engine: sa.Engine) -> set[str]:
    """All workers that have neither left nor been taken over."""
    with engine.connect() as connection:
        return set(connection.execute(sa.select(workers.c.id)).scalars())


def claim(engine: sa.Engine, worker_id: str) -> bool:
    """Whether the caller is the one to take over from a dead worker. A claim lapses like a lease does, should the
    claimer die before it calls `leave` for the dead."""
    with engine.begin() as connection:
        insert = upsert(connection, workers).values(id=worker_id, seen_at=0.0, claimed_at=now())
        stale = now() - LEASE_SECONDS
        free = workers.c.claimed_at.is_(None) | (workers.c.claimed_at < stale)
        claimed = insert.on_conflict_do_update(
            index_elements=[workers.c.id], set_={"claimed_at": now()}, where=(workers.c.seen_at < stale) & free
        ).returning(workers.c.id)
        return connection.execute(claimed).first() is not None


def give_up(engine: sa.Engine, worker_id: str) -> None:
    """Say that a worker is known to be dead, so that its lease need not run out first."""
    with engine.begin() as connection:
        connection.execute(sa.update(workers).where(workers.c.id == worker_id).values(seen_at=0.0))


class Rounds:
    """When to look for the dead: every few seconds, but not soon after a time in which the database was away. Nobody
    could beat then, so all that live look dead until they have had time to."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._beaten_at = clock()
        self._next_at = clock() + CHECK_SECONDS

    def beaten(self) -> None:
        """This worker could beat."""
        now_s = self._clock()
        if now_s - self._beaten_at > LEASE_SECONDS / 2:
            self._next_at = now_s + LEASE_SECONDS
        self._beaten_at = now_s

    def due(self) -> bool:
        """Whether it is time; then it is not again for a while."""
        if self._clock() < self._next_at:
            return False
        self._next_at = self._clock() + CHECK_SECONDS
        return True
