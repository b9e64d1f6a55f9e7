"""CPU seconds of every thread of a family of processes, by name."""

import os
import re
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Lock, Thread

from benchmarks.processes import members, name_of_process

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
_SAMPLE_SECONDS = 0.1
Named = tuple[str, str]
"""Names of a process and of its thread."""
Snapshot = dict[tuple[str, str], tuple[Named, float]]
"""By process and thread id: their names, and the CPU seconds up to now."""


class ThreadWatch:
    """Looks several times a second, so that threads which have ended are counted, but for their last moment."""

    def __init__(self, family: str, proc: Path = Path("/proc")) -> None:
        self._family = family
        self._proc = proc
        self._seconds: Snapshot = {}
        self._lock = Lock()

    def look(self) -> None:
        with self._lock:
            for pid in members(self._family, self._proc):
                process = name_of_process(pid, self._proc)
                for task in _tasks(self._proc / str(pid) / "task"):
                    try:
                        name, seconds = _read((task / "stat").read_text())
                    except OSError:
                        continue
                    self._seconds[str(pid), task.name] = ((process, name), seconds)

    def snapshot(self) -> Snapshot:
        """Of all threads that were ever seen, ended ones too."""
        self.look()
        with self._lock:
            return dict(self._seconds)


@contextmanager
def thread_watch(family: str) -> Iterator[ThreadWatch]:
    """A watch that looks until the end of the block."""
    watch, stopped = ThreadWatch(family), Event()

    def keep_looking() -> None:
        while not stopped.wait(_SAMPLE_SECONDS):
            watch.look()

    thread = Thread(target=keep_looking, name="threads", daemon=True)
    thread.start()
    try:
        yield watch
    finally:
        stopped.set()
        thread.join()


def between(before: Snapshot, after: Snapshot) -> dict[Named, float]:
    """CPU seconds by process and thread name; a thread goes by its last name."""
    found: dict[Named, float] = defaultdict(float)
    for thread, (name, seconds) in after.items():
        found[name] += seconds - before.get(thread, (name, 0.0))[1]
    return {name: round(seconds, 3) for name, seconds in found.items() if seconds > 0}


def _tasks(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def _read(stat: str) -> tuple[str, float]:
    """`/proc/PID/task/TID/stat` -> the thread's name without its number, and its CPU seconds."""
    name, _, rest = stat.partition("(")[2].rpartition(")")
    fields = rest.split()
    ticks = int(fields[11]) + int(fields[12])
    return re.sub(r"[-_ ]?\d+$", "", name) or name, ticks / _TICKS_PER_SECOND
