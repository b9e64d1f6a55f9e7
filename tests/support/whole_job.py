"""One job from its upload to its results, or its deletion, in one process: `python -m tests.support.whole_job`.

For a look at its system calls, and for a kill at any of them. Done again, it goes on where the last one was killed.
"""

import os
import sys
import time
from dataclasses import asdict
from pathlib import Path

from service.errors import UnknownVideo
from service.settings import Settings
from service.storage.opening import open_store
from service.storage.store import Store
from service.video.decoding.limits import DecoderLimits
from service.video.jobs.database import open_database
from service.video.jobs.jobs import VideoJobs
from service.video.jobs.records import JobTable
from service.video.options import VideoOptions
from service.video.segments.reader import probe
from service.video.workers.retention import Retention
from service.video.workers.runner import Cancelled, Runner
from tests.support.running import red_settings

JOB = "11111111-2222-3333-4444-555555555555"
OPTIONS = VideoOptions(segment_seconds=0.4, outputs=("annotated", "frames", "masks"))
DEEDS = ("work", "delete", "retention")


def settings_in(folder: Path) -> Settings:
    chosen = {"backend": "onnxruntime", "provider": "cpu", "precision": "fp32", "threads": 1}  # nothing is measured
    return red_settings(folder, retention_hours=1.0, **chosen)


def queue(settings: Settings, table: JobTable, store: Store, clip: Path) -> None:
    """As the server does: first the files, then the row."""
    try:
        table.get(JOB)
    except UnknownVideo:
        store.delete(JOB)
        store.adopt(clip, JOB)
        columns = {"model": "red", "version": 1, "options": OPTIONS.stored(), "sha256": "", "frames_damaged": 0}
        with table._engine.begin() as connection:
            table.insert(connection, id=JOB, input=asdict(probe(clip, DecoderLimits.of(settings))), **columns)


def work(folder: Path, clip: Path) -> None:
    settings = settings_in(folder)
    engine, store = open_database(settings), open_store(settings)
    queue(settings, JobTable(engine), store, clip)
    runner = Runner(settings, engine, store)
    try:
        for number in range(runner.begin(JOB)):
            runner.segment(JOB, number)
        runner.finish(JOB)
    except Cancelled:
        runner.clear_up(JOB)  # it had ended before the kill


def delete(folder: Path, _clip: Path) -> None:
    jobs = VideoJobs(settings_in(folder))
    try:
        jobs.delete(JOB)
    except UnknownVideo:
        jobs.store.delete(JOB)


def retention(folder: Path, _clip: Path) -> None:
    settings = settings_in(folder)
    engine, store = open_database(settings), open_store(settings)
    Retention(settings, engine, store, lambda: time.time() + 7200).sweep()


if __name__ == "__main__":
    deed, *paths = sys.argv[1:]
    {"work": work, "delete": delete, "retention": retention}[deed](*map(Path, paths))
    os._exit(0)
