"""Two servers that add jobs to one PostgreSQL at the same moment."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pytest

from service.errors import Overloaded
from service.video.jobs.jobs import VideoJobs
from tests.support.new_jobs import new_job
from tests.support.postgres import Postgres, needs_postgres, running_postgres
from tests.support.running import red_settings
from tests.support.waiting import until

DEADLINE_SECONDS = 60
WAITING = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"

pytestmark = [needs_postgres, pytest.mark.filterwarnings("ignore::ResourceWarning")]


@pytest.fixture
def postgres() -> Iterator[Postgres]:
    with running_postgres() as running:
        yield running


async def test_a_job_that_is_being_counted_is_seen_by_the_next_though_another_server_adds_that(
    postgres: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = red_settings(tmp_path, database_url=postgres.url, max_active_videos=1)
    one, other = VideoJobs(settings), VideoJobs(settings)
    other._connect()
    counted, go_on, judge = Event(), Event(), one._judge

    def judge_late(*counts: int) -> None:
        counted.set()
        assert go_on.wait(DEADLINE_SECONDS)
        judge(*counts)

    monkeypatch.setattr(one, "_judge", judge_late)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(one.create, new_job(one))
        assert counted.wait(DEADLINE_SECONDS)
        second = pool.submit(other.create, new_job(other))
        await until(lambda: second.done() or postgres.ask(WAITING) == ["1"])
        go_on.set()
        assert first.result(DEADLINE_SECONDS).status == "queued"
        with pytest.raises(Overloaded):
            second.result(DEADLINE_SECONDS)
    one.close()
    other.close()
