"""A worker's place on its machine, and who had it before: a worker started after a kill knows at once who died."""

import fcntl
import os
import socket
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, slots=True)
class Slot:
    worker_id: str
    """No other worker has it, had it or will have it."""
    dead: list[str]
    """Workers that held this place under the same running kernel. They have ended: their lock is gone."""
    settle: Callable[[], None]
    """Call it once the dead ones' work is taken over: they are forgotten."""


@contextmanager
def slot(folder: Path) -> Iterator[Slot]:
    """Hold the first free place. Its lock ends with the process, however that ends.

    The folder may be shared by machines, and not every shared file system keeps locks between them; so a place's file
    says under which kernel a worker ran, and only those that ran under ours are taken for dead.
    """
    folder.mkdir(parents=True, exist_ok=True)
    worker_id = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
    path, descriptor = _lock_free_place(folder)
    try:
        kernel = _kernel()
        before = [line.split() for line in path.read_text().splitlines()]
        dead = [entry[1] for entry in before if len(entry) == 2 and entry[0] == kernel]
        _write(path, kernel, [*dead, worker_id])
        yield Slot(worker_id, dead, lambda: _write(path, kernel, [worker_id]))
    finally:
        os.close(descriptor)


def _lock_free_place(folder: Path) -> tuple[Path, int]:
    number = 0
    while True:
        path = folder / f"{number}.lock"
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            number += 1
        else:
            return path, descriptor


def _write(path: Path, kernel: str, worker_ids: list[str]) -> None:
    path.write_text("".join(f"{kernel} {worker_id}\n" for worker_id in worker_ids))


def _kernel() -> str:
    """Tells apart running kernels; containers on one machine share theirs, and its locks."""
    return _BOOT_ID.read_text().strip() if _BOOT_ID.exists() else socket.gethostname()
