"""The backup of docs/operations.md, taken while a job is at work, goes on elsewhere as if nothing had been."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import videos
from tests.support.cluster import Cluster
from tests.support.postgres import PROGRAMS, Postgres, needs_postgres, running_postgres
from tests.support.server import ROOT
from tests.support.video_api import VideoApi

FRAMES = 500
OUTPUTS = "frames,masks"

pytestmark = pytest.mark.timeout(900)


def documented_backup() -> str:
    """The page's line of Python that copies the database."""
    page = (ROOT / "docs/operations.md").read_text()
    (code,) = re.findall(r'^python3 -c "(import sqlite3; .+)"$', page, re.MULTILINE)
    return str(code)


def back_up(data_dir: Path, backup: Path) -> None:
    """The database first, then the files, as the page says."""
    backup.mkdir()
    code = documented_backup().replace("data/endomask.sqlite", str(data_dir / "endomask.sqlite"), 1)
    code = code.replace("'backup/endomask.sqlite'", repr(str(backup / "endomask.sqlite")))
    subprocess.run([sys.executable, "-c", code], check=True)
    subprocess.run(["cp", "-a", str(data_dir / "videos"), str(backup)], check=True)


def test_a_backup_taken_at_work_is_restored_and_its_jobs_go_on(tmp_path: Path) -> None:
    clip = videos.write_video(tmp_path / "clip.mp4", frames=FRAMES)
    lost, restored = tmp_path / "lost", tmp_path / "restored"
    for folder in (lost, restored):
        folder.mkdir()
    with Cluster(lost) as cluster, VideoApi(cluster.start_server("server", workers=1)) as api:
        finished = api.upload(clip, outputs=OUTPUTS)
        assert api.wait(finished)["status"] == "succeeded"
        expected = api.file(finished, "frames.csv")
        at_work = api.upload(clip, outputs=OUTPUTS)
        api.wait_for_frames(at_work, FRAMES // 8)
        back_up(cluster.data_dir, tmp_path / "backup")
        assert api.get(at_work)["status"] == "running", "the job was too fast"
    shutil.rmtree(lost)
    shutil.copytree(tmp_path / "backup", restored / "data")
    with Cluster(restored) as cluster, VideoApi(cluster.start_server("server", workers=1)) as api:
        assert api.file(finished, "frames.csv") == expected
        assert api.wait(at_work)["status"] == "succeeded"
        assert api.file(at_work, "frames.csv") == expected


def run_documented(command: str, postgres: Postgres, folder: Path) -> None:
    """The page's command with PostgreSQL's name in it, in a shell that knows the database."""
    page = (ROOT / "docs/operations.md").read_text()
    (line,) = re.findall(rf"({command} --[^\n`]*(?:endomask\.dump|\$ENDOMASK_DATABASE_URL\"))", page)
    path = f"{PROGRAMS}:{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, "ENDOMASK_DATABASE_URL": postgres.url}
    subprocess.run(["bash", "-ec", line], cwd=folder, env=environment, check=True)


@needs_postgres
def test_so_is_one_of_postgresql_into_another(tmp_path: Path) -> None:
    clip = videos.write_video(tmp_path / "clip.mp4", frames=FRAMES)
    lost, restored, backup = (tmp_path / name for name in ("lost", "restored", "backup"))
    for folder in (lost, restored, backup):
        folder.mkdir()
    with (
        running_postgres() as postgres,
        Cluster(lost, postgres.url) as cluster,
        VideoApi(cluster.start_server("server", workers=1)) as api,
    ):
        finished = api.upload(clip, outputs=OUTPUTS)
        assert api.wait(finished)["status"] == "succeeded"
        expected = api.file(finished, "frames.csv")
        at_work = api.upload(clip, outputs=OUTPUTS)
        api.wait_for_frames(at_work, FRAMES // 8)
        run_documented("pg_dump", postgres, backup)
        subprocess.run(["cp", "-a", str(cluster.data_dir / "videos"), str(backup)], check=True)
        assert api.get(at_work)["status"] == "running", "the job was too fast"
    shutil.rmtree(lost)
    (restored / "data").mkdir()
    shutil.copytree(backup / "videos", restored / "data/videos")
    with running_postgres() as postgres:
        run_documented("pg_restore", postgres, backup)
        with (
            Cluster(restored, postgres.url) as cluster,
            VideoApi(cluster.start_server("server", workers=1)) as api,
        ):
            assert api.file(finished, "frames.csv") == expected
            assert api.wait(at_work)["status"] == "succeeded"
            assert api.file(at_work, "frames.csv") == expected
