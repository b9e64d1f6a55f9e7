"""Starts `python -m service serve` as a user would and holds it to a clean end."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.red import write_red_package

ROOT = Path(__file__).resolve().parents[2]
READY_DEADLINE_S = 180
STOP_DEADLINE_S = 120


@dataclass(frozen=True, slots=True)
class RunningServer:
    url: str
    """`http://127.0.0.1:<port>`, no slash at the end."""
    process: subprocess.Popen[bytes]
    data_dir: Path
    log: Path

    @property
    def host_port(self) -> str:
        return self.url.removeprefix("http://")


def served_models(folder: Path) -> tuple[Path, str]:
    """(models folder, default model): the shipped models, or the red test model while none is shipped."""
    shipped = ROOT / "models"
    if any(shipped.glob("instruments/*/manifest.json")):
        return shipped, "instruments"
    write_red_package(folder / "models")
    return folder / "models", "red"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def start_server(folder: Path, *arguments: str, **environment: str) -> Iterator[RunningServer]:
    """Serve with data in `folder` until the block ends; then SIGTERM must end it with 0 and every child with it."""
    port = free_port()
    log = folder / "server.log"
    env = os.environ | {
        "ENDOMASK_HOST": "127.0.0.1",
        "ENDOMASK_PORT": str(port),
        "ENDOMASK_DATA_DIR": str(folder / "data"),
        **environment,
    }
    command = [sys.executable, "-m", "service", "serve", *arguments]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=ROOT, env=env, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
    running = RunningServer(f"http://127.0.0.1:{port}", process, folder / "data", log)
    try:
        wait_until_ready(running)
        yield running
        stop(running)
    finally:
        _end_leftovers(running)


def wait_until_ready(running: RunningServer) -> None:
    """Return when /readyz answers 200; fail with its last answer and the log when the process ends or time is up."""
    deadline = time.monotonic() + READY_DEADLINE_S
    answer = "none"
    while time.monotonic() < deadline and running.process.poll() is None:
        try:
            with urllib.request.urlopen(f"{running.url}/readyz", timeout=READY_DEADLINE_S):
                return
        except urllib.error.HTTPError as error:
            answer = error.read().decode()
        except (urllib.error.URLError, ConnectionError, TimeoutError) as error:
            answer = str(error)
        time.sleep(0.1)
    ended = running.process.poll()
    state = f"not ready after {READY_DEADLINE_S} s" if ended is None else f"ended with {ended} before it was ready"
    raise AssertionError(f"the server is {state}; /readyz: {answer}; log:\n{running.log.read_text()[-4000:]}")


def stop(running: RunningServer, how: signal.Signals = signal.SIGTERM) -> None:
    """End it as an init system does (SIGTERM) or as Ctrl-C in a terminal (SIGINT, to the whole process group).

    Asserts exit code 0 and that no process is left.
    """
    if running.process.poll() is None:
        send = os.killpg if how == signal.SIGINT else os.kill
        send(running.process.pid, how)
    code = running.process.wait(timeout=STOP_DEADLINE_S)
    log = running.log.read_text()[-4000:]
    assert code == 0, f"the server ended with {code}:\n{log}"
    left = processes_of(running.data_dir)
    assert not left, f"the server left processes behind: {left}\n{log}"


def processes_of(data_dir: Path) -> dict[int, str]:
    """Living processes that were started with this data folder: pid -> command line. Linux only."""
    wanted = f"ENDOMASK_DATA_DIR={data_dir}".encode()
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if wanted in (process / "environ").read_bytes().split(b"\0"):
                found[int(process.name)] = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
    return found


def children_of(parent: int) -> dict[int, str]:
    """Processes that a process has started and that live: pid -> command line. Linux only."""
    found = {}
    for thread in _entries(Path(f"/proc/{parent}/task")):
        for pid in _read(thread / "children").split():
            if command := _read(Path(f"/proc/{int(pid)}/cmdline")):
                found[int(pid)] = command.replace(b"\0", b" ").decode()
    return found


def _entries(folder: Path) -> list[Path]:
    """None of a process that has ended."""
    try:
        return list(folder.iterdir())
    except (FileNotFoundError, ProcessLookupError):
        return []


def _read(path: Path) -> bytes:
    """Nothing of a process or thread that ends meanwhile."""
    try:
        return path.read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def _end_leftovers(running: RunningServer) -> None:
    """After a failure: end what the server itself did not."""
    for pid in processes_of(running.data_dir):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    running.process.wait(timeout=STOP_DEADLINE_S)
