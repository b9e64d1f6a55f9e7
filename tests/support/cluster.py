"""API servers and workers in processes of their own, as on several machines: they share a database and a folder."""

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Self

from tests.support.red import write_red_package
from tests.support.server import ROOT, RunningServer, children_of, free_port, processes_of, wait_until_ready
from tests.support.waiting import wait_until

_STOP_DEADLINE_S = 180


class Cluster:
    """Processes by name, each ended by its own id. Leaving the context ends those that still run."""

    def __init__(self, folder: Path, database_url: str = "", **settings: str) -> None:
        """SQLite where no database is given, which is for one server with its workers."""
        self._folder = folder
        write_red_package(folder / "models")
        self._environment = os.environ | {
            "ENDOMASK_HOST": "127.0.0.1",
            "ENDOMASK_DATA_DIR": str(self.data_dir),
            "ENDOMASK_MODELS_DIR": str(folder / "models"),
            "ENDOMASK_DEFAULT_MODEL": "red",
            "ENDOMASK_DATABASE_URL": database_url,
            "ENDOMASK_SEGMENT_SECONDS": "1",
            "ENDOMASK_WORKER_NICENESS": "0",  # jobs go on although the machine has other work
            "OMP_NUM_THREADS": "1",
            **settings,
        }
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self._logged_before: dict[str, int] = {}
        """Bytes that earlier processes of a name have left in its log."""

    @property
    def data_dir(self) -> Path:
        return self._folder / "data"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for name in list(self.processes):
            self.kill(name)
        for pid in processes_of(self.data_dir):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def start_server(self, name: str, workers: int = 0, port: int | None = None) -> str:
        """Its address, once it is ready."""
        port = port or free_port()
        process = self._start(name, "serve", "--workers", str(workers), ENDOMASK_PORT=str(port))
        running = RunningServer(f"http://127.0.0.1:{port}", process, self.data_dir, self._log(name))
        wait_until_ready(running)
        return running.url

    def start_worker(self, name: str, **settings: str) -> None:
        self._start(name, "worker", **settings)

    def await_workers(self, *names: str) -> None:
        """Until they take videos."""
        for name in names:
            wait_until(lambda name=name: "takes videos" in self._logged_by(name), f"{name} takes no video")  # type: ignore[misc]

    def kill(self, name: str) -> None:
        """SIGKILL, and no one starts it again."""
        process = self.processes.pop(name)
        process.kill()
        process.wait(_STOP_DEADLINE_S)

    def kill_session(self, name: str) -> None:
        """SIGKILL to a process and all that it and its children have started, as a power cut does. Stopped first, none
        sees another go."""
        process = self.processes.pop(name)
        for number in (signal.SIGSTOP, signal.SIGKILL):
            for pid in _session(process.pid):
                with suppress(ProcessLookupError):
                    os.kill(pid, number)
        process.wait(_STOP_DEADLINE_S)

    def stop(self, name: str) -> int:
        """SIGTERM; the exit code."""
        process = self.processes.pop(name)
        process.send_signal(signal.SIGTERM)
        return process.wait(_STOP_DEADLINE_S)

    def logs(self, name: str) -> str:
        return self._log(name).read_text()

    def workers_of_servers(self) -> list[int]:
        """Process ids of the workers that servers have started."""
        started = [children_of(process.pid) for process in self.processes.values()]
        return [pid for children in started for pid, command in children.items() if " service worker" in command]

    def _logged_by(self, name: str) -> str:
        """By the process that bears the name now."""
        return self._log(name).read_bytes()[self._logged_before[name] :].decode()

    def _log(self, name: str) -> Path:
        return self._folder / f"{name}.log"

    def _start(self, name: str, *arguments: str, **settings: str) -> "subprocess.Popen[bytes]":
        with self._log(name).open("ab") as log:
            self._logged_before[name] = log.tell()
            self.processes[name] = subprocess.Popen(
                [sys.executable, "-m", "service", *arguments],
                cwd=ROOT,
                env=self._environment | settings,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        return self.processes[name]


def _session(leader: int) -> list[int]:
    """Process ids of a session."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(ProcessLookupError):
            if os.getsid(int(process.name)) == leader:
                found.append(int(process.name))
    return found
