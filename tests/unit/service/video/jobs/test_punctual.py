"""Connections to a real PostgreSQL that hangs, and what it does about a client that does."""

from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import OperationalError

from service.settings import Settings
from service.video.jobs import punctual
from service.video.jobs.database import one_at_a_time, open_queue_database
from service.video.jobs.punctual import open_punctual
from tests.support.postgres import Postgres, needs_postgres, running_postgres

pytestmark = needs_postgres


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    with running_postgres() as running:
        yield running


@pytest.fixture
def engine(postgres: Postgres) -> Iterator[sa.Engine]:
    opened = open_punctual(sa.make_url(postgres.url))
    yield opened
    opened.dispose()


def test_a_server_that_hangs_in_the_middle_of_a_transaction_is_given_up(
    postgres: Postgres, engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with engine.connect() as connection:
        connection.execute(sa.text("SELECT 1"))
        postgres.hang()
        try:
            with monkeypatch.context() as patched:
                patched.setattr(punctual, "ANSWER_SECONDS", 0.5)
                with pytest.raises(OperationalError) as raised:
                    connection.execute(sa.text("SELECT 2"))
        finally:
            postgres.wake()
        assert raised.value.connection_invalidated, "its answer would come to the next question"
    with engine.connect() as connection:
        assert connection.execute(sa.text("SELECT 3")).scalar() == 3


def test_a_server_that_hangs_before_a_connection_is_made_is_given_up_too(
    postgres: Postgres, engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setitem(punctual.LIBPQ, "connect_timeout", 2)  # libpq's least
        impatient = open_punctual(engine.url)
    postgres.hang()
    try:
        with pytest.raises(OperationalError):
            impatient.connect()
    finally:
        postgres.wake()
    impatient.dispose()
    with engine.connect() as connection:
        assert connection.execute(sa.text("SELECT 1")).scalar() == 1


def test_the_queues_engine_is_as_punctual_and_heeds_the_url_too(
    postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue = open_queue_database(Settings(database_url=f"{postgres.url}?tcp_user_timeout=4000"))
    assert queue is not None
    with queue.connect() as connection:
        parameters = connection.connection.driver_connection.info.get_parameters()  # type: ignore[union-attr]
        assert (parameters["tcp_user_timeout"], parameters["keepalives_idle"]) == ("4000", "10")
        postgres.hang()
        try:
            with monkeypatch.context() as patched:
                patched.setattr(punctual, "ANSWER_SECONDS", 0.5)
                with pytest.raises(OperationalError):
                    connection.execute(sa.text("SELECT 1"))
        finally:
            postgres.wake()
    queue.dispose()


def test_an_error_of_a_statement_keeps_its_connection(engine: sa.Engine) -> None:
    with engine.connect() as connection:
        backend = connection.execute(sa.text("SELECT pg_backend_pid()")).scalar()
        connection.execute(sa.text("SET statement_timeout = 50"))
        with pytest.raises(OperationalError, match="statement timeout"):
            connection.execute(sa.text("SELECT pg_sleep(5)"))
        connection.rollback()
        assert connection.execute(sa.text("SELECT pg_backend_pid()")).scalar() == backend


def test_a_process_that_stops_in_a_transaction_does_not_keep_its_lock(
    postgres: Postgres, engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a server that hangs while it adds a job would keep every other server from adding one, until that has waited
    for ANSWER_SECONDS."""
    monkeypatch.setitem(punctual._SESSION, "idle_in_transaction_session_timeout", 2000)
    stopped = open_punctual(engine.url)
    with stopped.connect() as connection:
        one_at_a_time(connection)  # and nothing more comes
        with engine.begin() as other:
            one_at_a_time(other)
        connection.invalidate()
    stopped.dispose()


def test_a_client_that_vanishes_is_noticed_by_the_server(engine: sa.Engine) -> None:
    with engine.connect() as connection:
        for name, value in (("tcp_keepalives_idle", "10"), ("idle_in_transaction_session_timeout", "30s")):
            assert connection.execute(sa.text(f"SHOW {name}")).scalar() == value
