"""Connections to PostgreSQL that give up one that does not answer, and that the server gives up when we vanish.

A host that vanished is noticed by TCP, with libpq's settings. A server that hangs still has a kernel that acknowledges
every packet, so only a look at the clock tells.
"""

from typing import Any, TypeVar

import psycopg
import sqlalchemy as sa
from psycopg.abc import PQGen

T = TypeVar("T")

ANSWER_SECONDS = 15.0
"""Longest that the database may take for one statement, or for one part of a large answer."""
CONNECT_SECONDS = 5

LIBPQ = {
    "connect_timeout": CONNECT_SECONDS,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
}
"""A host that vanished without a word is noticed within seconds, or 15 000 ms, not after libpq's hours."""

_SESSION = {
    "idle_in_transaction_session_timeout": 30_000,
    "tcp_keepalives_idle": 10,
    "tcp_keepalives_interval": 5,
    "tcp_keepalives_count": 3,
}
"""What the server does about us: a process that stops or vanishes in the middle of a transaction keeps its locks for
30 000 ms, not until somebody looks."""


class PunctualConnection(psycopg.Connection[Any]):
    """Raises OperationalError, and is closed, when the server does not answer in time."""

    def wait(self, gen: PQGen[T], interval: float = 0.1, timeout: float | None = None) -> T:
        try:
            return super().wait(gen, interval, ANSWER_SECONDS if timeout is None else timeout)
        except psycopg.OperationalError:
            if not self.closed and self.pgconn.transaction_status == psycopg.pq.TransactionStatus.ACTIVE:
                self.close()  # what was asked may still be answered, to a question that is not this one
            raise


def open_punctual(url: sa.URL, **pool: int) -> sa.Engine:
    """What the URL says itself goes before our settings. `pool` are SQLAlchemy's settings of the engine's pool."""
    patience = {name: value for name, value in LIBPQ.items() if name not in url.query}
    url = url.set(drivername="postgresql+psycopg")
    engine = sa.create_engine(url, pool_pre_ping=True, connect_args=patience, **pool)
    sa.event.listen(engine, "do_connect", _connect)
    sa.event.listen(engine, "connect", _set_session)
    return engine


def _connect(_dialect: Any, _record: Any, args: list[Any], arguments: dict[str, Any]) -> PunctualConnection:
    return PunctualConnection.connect(*args, **arguments)


def _set_session(connection: PunctualConnection, _record: Any) -> None:
    connection.execute("; ".join(f"SET {name} = {value}" for name, value in _SESSION.items()).encode())
    connection.commit()
