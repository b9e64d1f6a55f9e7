"""Local copies of what lies in an object store: a folder a process, gone with it, and bounded while it lives."""

import fcntl
import os
import shutil
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock

from service.storage.store import Workplace

MOST_JOBS = 4
"""Jobs whose copies are kept while nobody is at them."""
IDLE_SECONDS = 600.0
"""Copies that nobody has used for so long go."""


class Scratch:
    """`<root>/<random>/<job id>/`. The lock in it ends with the process, so that others see what is left over."""

    def __init__(self, root: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._root = root
        self._folder: Path | None = None
        self._lock = Lock()
        self._making = Lock()
        self._users: Counter[str] = Counter()
        self._used_at: dict[str, float] = {}
        self._unwanted: set[str] = set()
        self._filling: dict[str, Lock] = {}
        self._clock = clock

    @contextmanager
    def at(self, job_id: str, fill: Callable[[Path], None]) -> Iterator[Workplace]:
        """The job's copies, with the source that `fill` writes unless it is there; they stay while the context lasts.
        Raises what `fill` raises."""
        with self._lock:
            self._users[job_id] += 1
            filling = self._filling.setdefault(job_id, Lock())
        try:
            place = self.place(job_id)
            with filling:
                place.results.mkdir(parents=True, exist_ok=True)
                place.segments.mkdir(exist_ok=True)
                if not place.source.exists():
                    partial = place.source.with_suffix(".part")
                    try:
                        fill(partial)
                        partial.rename(place.source)
                    finally:
                        partial.unlink(missing_ok=True)
            yield place
        finally:
            with self._lock:
                self._users[job_id] -= 1
                self._used_at[job_id] = self._clock()
            self.tidy()

    def place(self, job_id: str) -> Workplace:
        folder = self._own() / job_id
        return Workplace(folder / "source", folder / "segments", folder / "results")

    def drop(self, job_id: str) -> None:
        """Remove a job's copies, now or as soon as nobody is at them."""
        with self._lock:
            if job_id in self._users:
                self._unwanted.add(job_id)
        self.tidy()

    def tidy(self) -> None:
        """Remove copies that nobody is at and that are old or too many."""
        with self._lock:
            idle = sorted((at, job_id) for job_id, at in self._used_at.items() if not self._users[job_id])
            old = [job_id for at, job_id in idle if job_id in self._unwanted or at < self._clock() - IDLE_SECONDS]
            for job_id in {*old, *(job_id for _, job_id in idle[:-MOST_JOBS])}:
                shutil.rmtree(self._own() / job_id, ignore_errors=True)
                self._unwanted.discard(job_id)
                del self._used_at[job_id], self._users[job_id], self._filling[job_id]

    def sweep(self) -> None:
        """Remove what processes left that were killed."""
        self.tidy()
        for path in self._root.glob("*/lock"):
            with suppress(FileNotFoundError), path.open("r") as lock:  # another process may sweep too
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    continue
                shutil.rmtree(path.parent, ignore_errors=True)

    def close(self) -> None:
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._held.close()
            self._folder = None

    def _own(self) -> Path:
        """Made when it is first needed: a server needs none."""
        with self._making:
            if self._folder is None:
                folder = self._root / f"{os.getpid()}-{uuid.uuid4().hex[:8]}"
                made = folder.with_name(f"new-{folder.name}")
                made.mkdir(parents=True)
                self._held = (made / "lock").open("w")
                fcntl.flock(self._held, fcntl.LOCK_EX)
                self._folder = made.rename(folder)
            return self._folder
