"""The job database: what a start says when it is not there."""

import sqlite3
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import sqlalchemy as sa

from service.errors import DatabaseUnavailable
from service.settings import Settings
from service.video.jobs import database
from service.video.jobs.database import open_database


def test_a_database_that_is_not_there_stops_the_start_with_a_sentence_and_no_password(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, database_url="postgresql://someone:secret@127.0.0.1:1/jobs")
    with pytest.raises(DatabaseUnavailable, match=r"the job database on 127\.0\.0\.1 can't be used") as raised:
        open_database(settings)
    assert "ENDOMASK_DATABASE_URL" in str(raised.value)
    assert "secret" not in str(raised.value)


def test_what_was_committed_to_sqlite_survives_a_loss_of_power(tmp_path: Path) -> None:
    engine = open_database(Settings(data_dir=tmp_path))
    with engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2  # FULL
    engine.dispose()


def test_processes_that_start_at_once_make_the_tables_together(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    engines: list[sa.Engine] = []
    threads = [threading.Thread(target=lambda: engines.append(open_database(settings))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert len(engines) == 8
    for engine in engines:
        assert "video_jobs" in sa.inspect(engine).get_table_names()
        engine.dispose()


def test_a_start_waits_for_another_process_that_is_writing_to_a_new_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite itself would refuse to switch the log over at once, with no wait."""
    other = sqlite3.connect(tmp_path / "endomask.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    waits: list[float] = []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 3:
            other.execute("COMMIT")

    monkeypatch.setattr(database, "time", SimpleNamespace(monotonic=time.monotonic, sleep=wait))
    engine = open_database(Settings(data_dir=tmp_path))
    with engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
    assert len(waits) == 3
    engine.dispose()
    other.close()
