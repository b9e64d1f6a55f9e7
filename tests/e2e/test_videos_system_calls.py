"""A job seen from below: what it has told the disk when the database says so, and a kill at single system calls.

ENDOMASK_TEST_CALLS sets at how many calls a deed is killed, ENDOMASK_TEST_SEED repeats a run.
"""

import os
import random
import re
import shutil
import sqlite3
import sys
import time
from collections import Counter
from contextlib import closing
from itertools import cycle
from pathlib import Path

import pytest

from service.storage.disk import ABANDONED_AFTER_SECONDS
from service.storage.opening import open_store
from tests.support import videos
from tests.support.red import write_red_package
from tests.support.s3 import BUCKET, running_s3, use
from tests.support.system_calls import CHANGING, SENDING, STRACE, Call, Disk, kill_at, trace
from tests.support.video_api import frame_checksums
from tests.support.whole_job import JOB, settings_in

CALLS = int(os.environ.get("ENDOMASK_TEST_CALLS", "3"))
SEED = int(os.environ.get("ENDOMASK_TEST_SEED", str(random.randrange(10**6))))
FRAMES = 20
"""Two segments."""
RESULTS = {"annotated.mp4", "frames.csv", "frames.jsonl", "frames.parquet", "masks.zip", "summary.json"}
COMPARED = ("frames.csv", "frames.jsonl", "masks.zip")
_PASSING = re.compile(r"\.[0-9a-f]{8}(/|$)|/unfinished-")
"""Names that nobody takes for a result or a finished segment."""

pytestmark = [
    pytest.mark.timeout(300 + 180 * CALLS),
    pytest.mark.skipif(STRACE is None, reason="strace is not installed (Debian: strace)"),
]


def command(deed: str, folder: Path, clip: Path) -> list[str]:
    return [sys.executable, "-m", "tests.support.whole_job", deed, str(folder), str(clip)]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return videos.write_video(tmp_path_factory.mktemp("clip") / "clip.mp4", frames=FRAMES)


@pytest.fixture(scope="module")
def finished(clip: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Call]]:
    """A folder in which the job was done without a disturbance, and the calls of that."""
    folder = tmp_path_factory.mktemp("finished")
    write_red_package(folder / "models")
    return folder, trace(command("work", folder, clip), folder / "calls.txt")


@pytest.fixture(scope="module")
def expected(finished: tuple[Path, list[Call]]) -> dict[str, object]:
    return results(finished[0])


def results(folder: Path) -> dict[str, object]:
    made = folder / "data/videos" / JOB / "results"
    assert {path.name for path in made.iterdir()} == RESULTS
    return {name: (made / name).read_bytes() for name in COMPARED} | {"seen": frame_checksums(made / "annotated.mp4")}


def commits(call: Call) -> bool:
    """Whether SQLite makes a transaction last."""
    return call.name in {"fsync", "fdatasync"} and call.path.endswith("endomask.sqlite-wal")


def test_nothing_that_the_database_tells_of_is_lost_with_the_power(finished: tuple[Path, list[Call]]) -> None:
    folder, calls = finished
    disk, seen, lost = Disk(), set(), set()
    for call in calls:
        if commits(call):
            there = disk.lost(f"{folder}/data/")
            lost |= {path for path in there if "/videos" in path and not _PASSING.search(path)}
        disk.see(call)
        seen |= {path for path in call.paths if JOB in path and call.name in {"rename", "link"}}
    names = {path.rpartition("/")[2] for path in seen}
    assert {"source", "index.npz", "00000", "00001", *RESULTS} <= names, "the trace does not show what is made"
    assert sum(map(commits, calls)) > 10, "the trace does not show what the database is told"
    assert not lost


def traced_copy(folder: Path, deed: str) -> Path:
    """Where `moments` has the deed done."""
    return folder.with_name(f"{folder.name}-traced-{deed}")


def moments(
    deed: str, folder: Path, clip: Path, chance: random.Random, kinds: tuple[str, ...] = CHANGING
) -> list[tuple[str, int]]:
    """Calls of the deed, each as its name and which one of that name it is for its thread."""
    copy = traced_copy(folder, deed)
    shutil.copytree(folder, copy)
    calls = trace(command(deed, copy, clip), copy / "calls.txt")
    most: Counter[str] = Counter()
    for (_, name), times in Counter((call.thread, call.name) for call in calls if call.name in kinds).items():
        most[name] = max(most[name], times)
    every = [(name, n) for name in most for n in range(1, most[name] + 1)]
    return sorted(chance.sample(every, min(CALLS, len(every))))


@pytest.mark.parametrize("seed", [SEED], ids="seed={}".format)
def test_a_job_that_is_killed_at_a_system_call_ends_as_if_nothing_had_been(
    clip: Path, finished: tuple[Path, list[Call]], expected: dict[str, object], tmp_path: Path, seed: int
) -> None:
    empty = tmp_path / "empty"
    shutil.copytree(finished[0] / "models", empty / "models")
    killed = []
    for name, number in moments("work", empty, clip, random.Random(seed)):
        folder = tmp_path / f"{name}-{number}"
        shutil.copytree(empty, folder)
        killed.append(kill_at(command("work", folder, clip), name, number))
        trace(command("work", folder, clip), folder / "again.txt")
        assert results(folder) == expected, f"killed at {name} {number}"
        assert status(folder) == "succeeded"
        sweep_once_it_has_rested(folder)
        left = [path for place in ("incoming", "trash") for path in (folder / "data" / place).iterdir()]
        assert not left, f"killed at {name} {number}"
        assert {path.name for path in (folder / "data/videos" / JOB).iterdir()} == {"source", "results"}
    assert any(killed), "nothing was killed"


@pytest.mark.parametrize("deed", ["delete", "retention"])
@pytest.mark.parametrize("seed", [SEED], ids="seed={}".format)
def test_a_deletion_that_is_killed_at_a_system_call_is_ended_by_the_next(
    clip: Path, finished: tuple[Path, list[Call]], tmp_path: Path, seed: int, deed: str
) -> None:
    full = tmp_path / "full"
    shutil.copytree(finished[0], full)
    killed = []
    for name, number in moments(deed, full, clip, random.Random(seed)):
        folder = tmp_path / f"{name}-{number}"
        shutil.copytree(full, folder)
        killed.append(kill_at(command(deed, folder, clip), name, number))
        if status(folder) is None:
            sweep_once_it_has_rested(folder)
        else:
            trace(command(deed, folder, clip), folder / "again.txt")
        assert not [path for path in (folder / "data").rglob("*") if JOB in str(path)], f"killed at {name} {number}"
        assert status(folder) is None
    assert any(killed), "nothing was killed"


@pytest.mark.parametrize("seed", [SEED], ids="seed={}".format)
def test_a_job_in_a_bucket_that_is_killed_at_a_request_ends_as_if_nothing_had_been(
    clip: Path,
    finished: tuple[Path, list[Call]],
    expected: dict[str, object],
    tmp_path: Path,
    seed: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Also while its segments and results go up, and while it is deleted."""
    with running_s3() as s3:
        use(s3, monkeypatch)
        chance, counted = random.Random(seed), tmp_path / "counted"
        shutil.copytree(finished[0] / "models", counted / "models")
        monkeypatch.setenv("ENDOMASK_STORAGE_URL", f"s3://{BUCKET}/counted")
        requests = moments("work", counted, clip, chance, SENDING)
        deletions = moments("delete", traced_copy(counted, "work"), clip, chance, SENDING)
        works_killed, deletions_killed = [], []
        for (name, number), deletion in zip(requests, cycle(deletions), strict=False):
            folder, prefix = tmp_path / f"{name}-{number}", f"{name}-{number}"
            shutil.copytree(finished[0] / "models", folder / "models")
            monkeypatch.setenv("ENDOMASK_STORAGE_URL", f"s3://{BUCKET}/{prefix}")
            works_killed.append(kill_at(command("work", folder, clip), name, number))
            trace(command("work", folder, clip), folder / "again.txt")
            assert status(folder) == "succeeded"
            top = f"{prefix}/videos/{JOB}"
            made = {f"{top}/results/{result}" for result in RESULTS}
            assert set(s3.keys(prefix)) == {f"{top}/source"} | made, f"killed at {name} {number}"
            assert {result: s3.read(f"{top}/results/{result}") for result in COMPARED} == {
                result: expected[result] for result in COMPARED
            }
            deletions_killed.append(kill_at(command("delete", folder, clip), *deletion))
            trace(command("delete", folder, clip), folder / "deleted.txt")
            assert not s3.keys(prefix)
            assert status(folder) is None
    assert any(works_killed), "no job was killed"
    assert any(deletions_killed), "no deletion was killed"


def status(folder: Path) -> str | None:
    with closing(sqlite3.connect(folder / "data/endomask.sqlite")) as database:
        row = database.execute("SELECT status FROM video_jobs WHERE id = ?", [JOB]).fetchone()
    return None if row is None else str(row[0])


def sweep_once_it_has_rested(folder: Path) -> None:
    """As a worker does an hour later."""
    old = time.time() - 2 * ABANDONED_AFTER_SECONDS
    for path in [*(folder / "data").glob("*/*")]:
        os.utime(path, (old, old))
    store = open_store(settings_in(folder))
    store.sweep({JOB} if status(folder) else set())
