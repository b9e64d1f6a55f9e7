"""Video worker processes beside the server: started, started again when they die, stopped with the server.

A worker holds the other end of a pipe as its standard input. When this process ends in any way, the pipe closes and
the worker goes too (`exit_with_parent`), so that nothing is left running even after kill -9.
"""

import asyncio
import contextlib
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Sequence
from typing import Self

from service.settings import Settings

log = logging.getLogger(__name__)

FIRST_BACKOFF_SECONDS = 0.5
LONGEST_BACKOFF_SECONDS = 30.0
STEADY_SECONDS = 60.0
"""A worker that lived this long is started again without a wait that grew before."""

WORKER_COMMAND = (sys.executable, "-m", "service", "worker", "--exit-with-parent")


class Supervisor:
    """Async context: `count` processes of `command` run inside it."""

    def __init__(
        self, command: Sequence[str], count: int, *, environment: dict[str, str], grace_seconds: float
    ) -> None:
        self._command = command
        self._count = count
        self._environment = environment
        self._grace_seconds = grace_seconds
        self._processes: dict[int, asyncio.subprocess.Process] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._stopping = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._tasks = [asyncio.create_task(self._keep_running(index)) for index in range(self._count)]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def stop(self) -> None:
        """SIGTERM, and SIGKILL to what is still there after the grace."""
        self.terminate()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=self._grace_seconds)
        self.kill()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def pids(self) -> list[int]:
        return [process.pid for process in self._processes.values() if process.returncode is None]

    def terminate(self) -> None:
        self._stopping.set()
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        self._stopping.set()
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        for process in self._processes.values():
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(number)

    async def _keep_running(self, index: int) -> None:
        backoff_seconds = FIRST_BACKOFF_SECONDS
        while not self._stopping.is_set():
            started_at = time.monotonic()
            try:
                returncode: int | None = await self._run_once(index)
            except OSError:
                log.exception("video worker %d can't be started", index)
                returncode = None
            if self._stopping.is_set():
                return
            if time.monotonic() - started_at > STEADY_SECONDS:
                backoff_seconds = FIRST_BACKOFF_SECONDS
            log.error("video worker %d ended with %s; next start in %.1f s", index, returncode, backoff_seconds)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), backoff_seconds)
            backoff_seconds = min(2 * backoff_seconds, LONGEST_BACKOFF_SECONDS)

    async def _run_once(self, index: int) -> int:
        """The session is the server's, so that a worker can give way to it (`niceness`)."""
        process = await asyncio.create_subprocess_exec(
            *self._command, stdin=asyncio.subprocess.PIPE, env=self._environment
        )
        self._processes[index] = process
        try:
            if self._stopping.is_set():
                process.terminate()
            return await process.wait()
        finally:
            del self._processes[index]


def worker_environment(settings: Settings) -> dict[str, str]:
    """This process's environment with these settings in it, whether they came from there or from the command line."""
    given = {f"ENDOMASK_{name.upper()}": str(value) for name, value in settings if value is not None}
    return {**os.environ, **given}


def exit_with_parent(grace_seconds: float) -> None:
    """Watch standard input from a thread; once the parent's end is closed, SIGTERM to this process, then the end.

    The process leaves its parent's group: Ctrl-C in the terminal is for the parent, which stops its workers in order.
    """
    os.setpgid(0, 0)

    def watch() -> None:
        while os.read(0, 4096):
            pass
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(grace_seconds)
        os._exit(1)

    threading.Thread(target=watch, name="parent", daemon=True).start()
