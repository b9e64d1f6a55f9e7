"""Which workers are alive: each writes the time into its row every few seconds."""

import time

import sqlalchemy as sa

from service.video.database import workers

BEAT_SECONDS = 2.0
LEASE_SECONDS = 20.0
"""A worker not seen for this long is dead, and its jobs are taken over."""


def beat(engine: sa.Engine, worker_id: str) -> None:
    """Say that a worker is alive."""
    now = time.time()
    with engine.begin() as connection:
        updated = connection.execute(sa.update(workers).where(workers.c.id == worker_id).values(seen_at=now))
        if not updated.rowcount:
            connection.execute(sa.insert(workers).values(id=worker_id, seen_at=now))


def leave(engine: sa.Engine, worker_id: str) -> None:
    """Say that a worker has ended."""
    with engine.begin() as connection:
        connection.execute(sa.delete(workers).where(workers.c.id == worker_id))


def alive(engine: sa.Engine) -> set[str]:
    """Workers seen within the lease."""
    with engine.connect() as connection:
        recent = workers.c.seen_at > time.time() - LEASE_SECONDS
        return set(connection.execute(sa.select(workers.c.id).where(recent)).scalars())
