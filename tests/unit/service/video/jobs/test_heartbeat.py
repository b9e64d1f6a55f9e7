"""Leases of workers in the job database."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from service.settings import Settings
from service.video.jobs import heartbeat
from service.video.jobs.database import now, open_database, workers
from service.video.jobs.heartbeat import CHECK_SECONDS, LEASE_SECONDS, Rounds, alive, beat, claim, give_up, known, leave


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[sa.Engine]:
    opened = open_database(Settings(data_dir=tmp_path))
    yield opened
    opened.dispose()


class Clock:
    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


def age(engine: sa.Engine, worker_id: str, column: str, seconds: float) -> None:
    """Let something have happened so long ago."""
    with engine.begin() as connection:
        connection.execute(sa.update(workers).where(workers.c.id == worker_id).values({column: now() - seconds}))


def test_a_worker_is_alive_until_its_lease_has_run_out(engine: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr(heartbeat, "now", lambda: sa.literal(clock()))
    beat(engine, "a")
    beat(engine, "a")
    assert alive(engine) == known(engine) == {"a"}
    clock.seconds += LEASE_SECONDS - 1
    assert alive(engine) == {"a"}
    clock.seconds += 2
    assert alive(engine) == set()
    assert known(engine) == {"a"}


def test_only_the_dead_are_claimed_and_each_by_one(engine: sa.Engine) -> None:
    beat(engine, "a")
    assert not claim(engine, "a")
    age(engine, "a", "seen_at", LEASE_SECONDS + 1)
    assert claim(engine, "a")
    assert not claim(engine, "a")


def test_a_claim_lapses_when_the_claimer_dies_too(engine: sa.Engine) -> None:
    beat(engine, "a")
    age(engine, "a", "seen_at", LEASE_SECONDS + 1)
    assert claim(engine, "a")
    age(engine, "a", "claimed_at", LEASE_SECONDS + 1)
    assert claim(engine, "a")


def test_a_worker_without_a_row_is_dead(engine: sa.Engine) -> None:
    assert claim(engine, "never seen")
    assert not claim(engine, "never seen")
    leave(engine, "never seen")
    assert known(engine) == set()


def test_a_worker_that_is_known_to_be_dead_need_not_wait_for_its_lease(engine: sa.Engine) -> None:
    beat(engine, "a")
    give_up(engine, "a")
    assert claim(engine, "a")


def test_a_worker_that_wakes_up_after_a_claim_is_alive_again(engine: sa.Engine) -> None:
    beat(engine, "a")
    give_up(engine, "a")
    assert claim(engine, "a")
    beat(engine, "a")
    assert alive(engine) == {"a"}
    assert not claim(engine, "a")


def test_time_is_the_databases(engine: sa.Engine) -> None:
    with engine.connect() as connection:
        first, seconds = connection.execute(sa.select(now(), sa.func.unixepoch())).one()
    assert abs(first - seconds) < 2


def test_the_dead_are_looked_for_every_few_seconds() -> None:
    clock = Clock()
    rounds = Rounds(clock)
    assert not rounds.due()
    clock.seconds += CHECK_SECONDS
    rounds.beaten()
    assert rounds.due()
    assert not rounds.due()


def test_nobody_is_taken_for_dead_right_after_the_database_was_away() -> None:
    clock = Clock()
    rounds = Rounds(clock)
    clock.seconds += LEASE_SECONDS
    rounds.beaten()
    assert not rounds.due()
    clock.seconds += LEASE_SECONDS - 1
    assert not rounds.due()
    clock.seconds += 1
    assert rounds.due()
