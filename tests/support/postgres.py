"""A real PostgreSQL of the test's own: a private cluster in a temporary folder, on a free port of this machine."""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.support.server import children_of, free_port

_DEBIAN_FOLDER = Path("/usr/lib/postgresql")
_OWNER = "postgres"
"""Debian's package makes this user; PostgreSQL refuses to run as root."""


def _find_programs() -> Path | None:
    """Debian keeps them off the path."""
    found = sorted(_DEBIAN_FOLDER.glob("*/bin/initdb"))
    if found:
        return found[-1].parent
    on_path = shutil.which("initdb")
    return Path(on_path).parent if on_path else None


PROGRAMS = _find_programs()
"""Folder of initdb, pg_ctl and psql; None when PostgreSQL is not installed."""
needs_postgres = pytest.mark.skipif(PROGRAMS is None, reason="PostgreSQL is not installed (Debian: postgresql)")


class Postgres:
    """A cluster in `folder`. Its state outlives a restart."""

    def __init__(self, folder: Path, programs: Path) -> None:
        self._folder = folder
        self._programs = programs
        self._port = free_port()
        self._stopped: list[int] = []
        self._user = _OWNER if os.geteuid() == 0 else None
        if self._user:
            shutil.chown(folder, self._user)
        self._run("initdb", "-D", str(folder / "data"), "-U", "endomask", "--auth=trust", "--encoding=UTF8", "-N")

    @property
    def url(self) -> str:
        return f"postgresql://endomask@127.0.0.1:{self._port}/postgres"

    def start(self) -> None:
        options = f"-p {self._port} -c listen_addresses=127.0.0.1 -k {self._folder}"
        log = str(self._folder / "log")
        self._run("pg_ctl", "-D", str(self._folder / "data"), "-w", "-l", log, "-o", options, "start")

    def stop(self, mode: str = "fast") -> None:
        """`fast` rolls back and ends, `immediate` is a crash."""
        self._run("pg_ctl", "-D", str(self._folder / "data"), "-w", "-m", mode, "stop")

    def hang(self) -> None:
        """Stop every process where it is: connections stay, the kernel acknowledges, nobody answers."""
        postmaster = int((self._folder / "data/postmaster.pid").read_text().splitlines()[0])
        self._stopped = [postmaster]
        os.kill(postmaster, signal.SIGSTOP)
        for pid in children_of(postmaster):
            os.kill(pid, signal.SIGSTOP)
            self._stopped.append(pid)

    def wake(self) -> None:
        """Have all go on that `hang` has stopped."""
        for pid in self._stopped:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
        self._stopped = []

    def ask(self, query: str) -> list[str]:
        """Rows of a query, columns parted by a bar."""
        command = [str(self._programs / "psql"), "-At", "-c", query, self.url]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()

    def _run(self, program: str, *arguments: str) -> None:
        """pg_ctl's server keeps its output open, so that goes to a file of its own."""
        with (self._folder / f"{program}.out").open("w+") as output:
            command = [str(self._programs / program), *arguments]
            done = subprocess.run(command, cwd=self._folder, user=self._user, stdout=output, stderr=output, check=False)
            output.seek(0)
            assert done.returncode == 0, f"{program} failed: {output.read()}"


@contextmanager
def running_postgres() -> Iterator[Postgres]:
    """A started cluster, gone afterwards. Not in pytest's folder, which other users can't enter."""
    assert PROGRAMS is not None
    folder = Path(tempfile.mkdtemp(prefix="endomask-postgres-"))
    postgres = Postgres(folder, PROGRAMS)
    postgres.start()
    try:
        yield postgres
    finally:
        postgres.wake()
        if (folder / "data/postmaster.pid").exists():
            postgres.stop("immediate")
        shutil.rmtree(folder)
