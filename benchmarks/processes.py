"""Processes that a benchmark starts: what they cost, what they hold in memory, and that none is left behind."""

import os
import re
import resource
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread
from typing import Any

from benchmarks.machine import ROOT

MARKER = "ENDOMASK_BENCH_FAMILY"
"""Environment variable that tells the processes of one family, however they were started."""
NAMED_THREADS = "benchmarks.named_threads"
"""Runs another module, whose name its process goes by."""
_STOP_SECONDS = 25.0
_SAMPLE_SECONDS = 0.2
_SETTLE_SECONDS, _SETTLE_STEP_SECONDS = 10.0, 0.5
_IDLE_SHARE = 0.1
"""Of a core; Ray's own processes use about half of that when nobody asks anything."""


@dataclass(frozen=True, slots=True)
class Finished:
    """A process that ended well: what it wrote, how long it took, and its CPU time with that of its children."""

    output: str
    seconds: float
    cpu_seconds: float


def run(command: list[str], environment: Mapping[str, str] | None = None, timeout_seconds: float = 900.0) -> Finished:
    """Run to the end; raises RuntimeError with the last lines of what it said when it fails or takes too long."""
    before, started_at = _children_cpu(), time.perf_counter()
    try:
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=environment_of(**(environment or {})),
            capture_output=True,
            text=True,
            timeout=timeout_seconds,
            check=True,
        )
    except subprocess.CalledProcessError as error:
        raise RuntimeError(f"{_named(command)} ended with {error.returncode}: {_tail(error.stderr)}") from error
    except subprocess.TimeoutExpired as error:
        raise RuntimeError(f"{_named(command)} took more than {timeout_seconds:g} s") from error
    return Finished(done.stdout, time.perf_counter() - started_at, _children_cpu() - before)


def python(module: str, *arguments: str) -> list[str]:
    """Command line of one of our own modules."""
    return [sys.executable, "-m", module, *arguments]


def environment_of(**changes: str) -> dict[str, str]:
    """This process's environment, with the project importable."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    return {**os.environ, "PYTHONPATH": path, **changes}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def end(process: "subprocess.Popen[Any]") -> None:
    """TERM, then KILL."""
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextmanager
def family() -> Iterator[str]:
    """Whatever is started inside belongs to one family, which is ended at the end: TERM, then KILL."""
    name = uuid.uuid4().hex
    before = os.environ.get(MARKER)
    os.environ[MARKER] = name
    try:
        yield name
    finally:
        os.environ.pop(MARKER)
        if before is not None:
            os.environ[MARKER] = before
        _end(name)


def members(name: str, proc: Path = Path("/proc")) -> list[int]:
    """Living processes of a family, and their children: the decoder of videos is started without any environment.
    Linux only."""
    wanted = f"{MARKER}={name}".encode()
    found, children = set[int](), dict[int, list[int]]()
    for process in proc.glob("[0-9]*"):
        pid = int(process.name)
        try:
            parent = int((process / "stat").read_text().rpartition(")")[2].split()[1])
            marked = wanted in (process / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        children.setdefault(parent, []).append(pid)
        if marked and pid != os.getpid():
            found.add(pid)
    return sorted(_with_children(found, children))


def _with_children(found: set[int], children: dict[int, list[int]]) -> set[int]:
    whole, new = set(found), list(found)
    while new:
        new = [child for pid in new for child in children.get(pid, []) if child not in whole]
        whole.update(new)
    return whole


def settle(name: str) -> None:
    """Wait until a family has nothing more to do, for some seconds at most: a server's first answer says nothing of
    workers that are still starting, nor does little computing while they wait for a core."""
    deadline, before = time.monotonic() + _SETTLE_SECONDS, cpu_of(members(name))
    while time.monotonic() < deadline:
        time.sleep(_SETTLE_STEP_SECONDS)
        after = cpu_of(pids := members(name))
        if after - before <= _IDLE_SHARE * _SETTLE_STEP_SECONDS and not want_a_core(pids):
            return
        before = after


def want_a_core(pids: list[int], proc: Path = Path("/proc")) -> bool:
    """Whether a thread of these processes computes, or would if it had a core."""
    for pid in pids:
        for path in proc.glob(f"{pid}/task/*/stat"):
            try:
                state = path.read_text().rpartition(")")[2].split()[0]
            except OSError:
                continue
            if state == "R":
                return True
    return False


def cpu_of(pids: list[int], proc: Path = Path("/proc")) -> float:
    """CPU seconds of processes so far."""
    ticks = 0
    for pid in pids:
        try:
            fields = (proc / str(pid) / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def memory_mb(pids: list[int], proc: Path = Path("/proc")) -> float:
    """Proportional set size of processes: shared pages count once."""
    total = 0
    for pid in pids:
        try:
            lines = (proc / str(pid) / "smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total / 1024


def memory_by_process(pids: list[int]) -> dict[str, float]:
    """Megabytes as `memory_mb` has them, of all processes of a name together."""
    found: dict[str, float] = {}
    for pid in pids:
        name = name_of_process(pid)
        found[name] = round(found.get(name, 0.0) + memory_mb([pid]), 1)
    return found


def name_of_process(pid: int, proc: Path = Path("/proc")) -> str:
    """Module and first argument of a Python process (`service serve`), else the program's name."""
    try:
        words = (proc / str(pid) / "cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return "?"
    if "-m" not in words:
        return Path(words[0]).name
    module, *arguments = [word for word in words[words.index("-m") + 1 :] if word != NAMED_THREADS]
    first = next((word for word in arguments if re.fullmatch(r"[a-z-]+", word) and not word.startswith("-")), "")
    return f"{module} {first}".strip()


@contextmanager
def memory_watch(name: str) -> Iterator[list[tuple[float, float]]]:
    """(seconds, megabytes) of a family, five times a second until the end of the block."""
    samples: list[tuple[float, float]] = []
    stopped, started_at = Event(), time.monotonic()

    def watch() -> None:
        while not stopped.wait(_SAMPLE_SECONDS):
            samples.append((time.monotonic() - started_at, memory_mb(members(name))))

    thread = Thread(target=watch, name="memory", daemon=True)
    thread.start()
    try:
        yield samples
    finally:
        stopped.set()
        thread.join()


def _end(name: str) -> None:
    _signal(members(name), signal.SIGTERM)
    deadline = time.monotonic() + _STOP_SECONDS
    while (left := members(name)) and time.monotonic() < deadline:
        time.sleep(0.05)
    _signal(left, signal.SIGKILL)


def _signal(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue


def _children_cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _named(command: list[str]) -> str:
    return " ".join(Path(command[0]).name if index == 0 else part for index, part in enumerate(command[:3]))


def _tail(text: str) -> str:
    return " | ".join(text.strip().splitlines()[-4:])[-800:]
