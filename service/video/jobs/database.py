"""The job database: SQLite in the data folder, or PostgreSQL. DBOS keeps its own tables in the same one."""

import sqlite3
import time
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.schema import CreateColumn, CreateIndex, CreateTable
from sqlalchemy.sql.functions import FunctionElement

from service.errors import DatabaseUnavailable
from service.settings import Settings

metadata = sa.MetaData()

_TABLES_LOCK = 0x656E646F
"""Number of the advisory lock under which tables are made."""
_ENTRY_LOCK = _TABLES_LOCK + 1
"""Number of the advisory lock under which jobs are counted and added."""
_QUEUE_CONNECTIONS = 8
_SQLITE_PATIENCE_SECONDS = 30.0
"""For another process's transaction."""
_RETRY_SECONDS = 0.01

jobs = sa.Table(
    "video_jobs",
    metadata,
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column("status", sa.String(16), nullable=False),
    sa.Column("created_at", sa.Float, nullable=False),
    sa.Column("started_at", sa.Float),
    sa.Column("finished_at", sa.Float),
    sa.Column("model", sa.String(64), nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("options", sa.JSON, nullable=False),
    sa.Column("input", sa.JSON, nullable=False),
    sa.Column("sha256", sa.String(64), nullable=False),
    sa.Column("idempotency_key", sa.String(255), unique=True),
    sa.Column("caller", sa.String(64)),
    sa.Column("retention_hours", sa.Float),
    sa.Column("frames_total", sa.Integer),
    sa.Column("frames_done", sa.Integer, nullable=False, default=0),
    sa.Column("frames_damaged", sa.Integer, nullable=False, default=0),
    sa.Column("frames_per_second", sa.Float),
    sa.Column("realtime_factor", sa.Float),
    sa.Column("cancel_requested", sa.Boolean, nullable=False, default=False),
    sa.Column("waiting_since", sa.Float),
    sa.Column("error_code", sa.String(64)),
    sa.Column("error_detail", sa.Text),
    sa.Index("video_jobs_by_time", "created_at", "id"),
)
"""Times in seconds since 1970. A job's row goes with the job. `retention_hours` is set where the caller chose it,
`waiting_since` (by the database's clock) while the object store is away."""

steps = sa.Table(
    "video_steps",
    metadata,
    sa.Column("job_id", sa.String(36), primary_key=True),
    sa.Column("name", sa.String(32), primary_key=True),
    sa.Column("attempts", sa.Integer, nullable=False, default=0),
    sa.Column("frames_done", sa.Integer, nullable=False, default=0),
    sa.Column("frames", sa.Integer),
)
"""`attempts` counts how often a step was begun and came to no end, `frames_done` its progress; `frames` is set once it
is done, and 0 for steps that count none."""

counters = sa.Table(
    "video_counters",
    metadata,
    sa.Column("model", sa.String(64), primary_key=True),
    sa.Column("frames", sa.BigInteger, nullable=False),
    sa.Column("damaged", sa.BigInteger, nullable=False),
)
"""Only grows; deleting a job takes nothing from it."""

workers = sa.Table(
    "video_worker_leases",
    metadata,
    sa.Column("id", sa.String(255), primary_key=True),
    sa.Column("seen_at", sa.Float, nullable=False),
    sa.Column("claimed_at", sa.Float),
)
"""`claimed_at` is when a living worker began to take over from this one. Both by the database's clock."""


class now(FunctionElement[float]):  # noqa: N801  (named like the function that it is in SQL)
    """Seconds since 1970 by the database's clock: the machines' own may differ."""

    type = sa.Float()
    inherit_cache = True


@compiles(now, "sqlite")
def _now_in_sqlite(*_: Any, **__: Any) -> str:
    return "((julianday('now') - 2440587.5) * 86400.0)"


@compiles(now, "postgresql")
def _now_in_postgresql(*_: Any, **__: Any) -> str:
    return "EXTRACT(EPOCH FROM clock_timestamp())"


def database_url(settings: Settings) -> str:
    """URL as DBOS and SQLAlchemy take it."""
    if settings.database_url:
        return settings.database_url
    return f"sqlite:///{settings.data_dir.resolve() / 'endomask.sqlite'}"


def open_database(settings: Settings) -> sa.Engine:
    """An engine on the job database, with our tables made; raises DatabaseUnavailable."""
    url = database_url(settings)
    if url.startswith("sqlite"):
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        engine = sa.create_engine(url, connect_args={"timeout": _SQLITE_PATIENCE_SECONDS})
        sa.event.listen(engine, "connect", _tune_sqlite)
    else:
        from service.video.jobs.punctual import open_punctual  # noqa: PLC0415  (not needed with SQLite)

        engine = open_punctual(sa.make_url(url))
    try:
        with engine.begin() as connection:
            _make_tables(connection)
    except sa.exc.OperationalError as error:
        raise DatabaseUnavailable(
            f"the job database on {engine.url.host or engine.url.database} can't be used; is it up, and is "
            "ENDOMASK_DATABASE_URL right?"
        ) from error
    return engine


def open_queue_database(settings: Settings) -> sa.Engine | None:
    """An engine for DBOS, with a pool of its own: its pollers can't keep ours from a connection. None with SQLite, for
    which it makes one itself. The caller disposes of it."""
    if not settings.database_url:
        return None
    from service.video.jobs.punctual import open_punctual  # noqa: PLC0415  (not needed with SQLite)

    return open_punctual(sa.make_url(settings.database_url), pool_size=_QUEUE_CONNECTIONS, max_overflow=0)


def upsert(connection: sa.Connection, table: sa.Table) -> Any:
    """An INSERT that takes `on_conflict_do_update`, which both databases have and standard SQL lacks."""
    return (postgresql if connection.dialect.name == "postgresql" else sqlite).insert(table)


def one_at_a_time(connection: sa.Connection) -> None:
    """Until the transaction's end no other one that says so goes on. SQLite has one writer anyway."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_ENTRY_LOCK)))


def forget_deleted(engine: sa.Engine) -> None:
    """Have SQLite's log of changes, which still holds deleted rows, written back and emptied. PostgreSQL's autovacuum
    does the like by itself."""
    if engine.dialect.name == "sqlite":
        with engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")


def _make_tables(connection: sa.Connection) -> None:
    """Several processes may start at once on an empty or older database, where IF NOT EXISTS alone can fail."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_TABLES_LOCK)))
    else:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    for table in metadata.sorted_tables:
        connection.execute(CreateTable(table, if_not_exists=True))
        _add_columns(connection, table)
        for index in table.indexes:
            connection.execute(CreateIndex(index, if_not_exists=True))


def _add_columns(connection: sa.Connection, table: sa.Table) -> None:
    """Those that an older version did not have; they may be empty."""
    there = {column["name"] for column in sa.inspect(connection).get_columns(table.name)}
    for column in table.columns:
        if column.name not in there:
            definition = CreateColumn(column).compile(dialect=connection.dialect)
            connection.exec_driver_sql(f"ALTER TABLE {table.name} ADD COLUMN {definition}")


def _tune_sqlite(connection: sqlite3.Connection, _record: Any) -> None:
    """Readers don't wait for the writer; what was committed survives a loss of power; what was deleted is erased."""
    _log_changes_ahead(connection)
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA secure_delete=ON")


def _log_changes_ahead(connection: sqlite3.Connection) -> None:
    """Turn on SQLite's write-ahead log, which lasts. Two that do so at once on a new file could wait for each other, so
    SQLite refuses one of them without any patience (https://www.sqlite.org/c3ref/busy_handler.html)."""
    deadline = time.monotonic() + _SQLITE_PATIENCE_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            primary = error.sqlite_errorcode & 0xFF  # what is above says why it is busy
            if primary != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(_RETRY_SECONDS)
        else:
            return
