"""Servers under load: started, waited for, asked, ended."""

import http.client
import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.client import Answer, Load, wire_format
from benchmarks.peers.wire import HttpRequest
from benchmarks.processes import end, environment_of, family, free_port, python, run, settle

READY_SECONDS = 180.0
"""How long a server may take until its first good answer; the first start of ours measures the backends."""
_PAUSE_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Server:
    """One that answers on 127.0.0.1. `family` names its processes for `processes.members`."""

    port: int
    process: "subprocess.Popen[bytes]"
    family: str
    log: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def serving(folder: Path, via: tuple[str, ...] = (), /, **environment: str) -> Iterator[Server]:
    """`python -m service serve` on a free port until the block ends, ready, with a user's settings but for those given.

    `via` is a module of ours that runs it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    port, log = free_port(), folder / "server.log"
    given = {"ENDOMASK_HOST": "127.0.0.1", "ENDOMASK_PORT": str(port)} | environment
    with family() as name, log.open("wb") as output:
        env = environment_of(**given)
        process = subprocess.Popen(python(*via, "service", "serve"), env=env, stdout=output, stderr=output)
        try:
            server = Server(port, process, name, log)
            wait_for(server, HttpRequest("GET", "/readyz", {}, b""))
            settle(name)
            yield server
        finally:
            end(process)


def wait_for(server: Server, request: HttpRequest) -> None:
    """Return at the first 200; raises RuntimeError with the log's end when the process ends or time is up."""
    deadline, answer = time.monotonic() + READY_SECONDS, "none"
    while time.monotonic() < deadline and server.process.poll() is None:
        try:
            status, body = ask_once(server.port, request)
        except OSError as error:
            answer = str(error)
        except http.client.HTTPException as error:
            answer = repr(error)
        else:
            if status == 200:
                return
            answer = f"{status} {body[:200]!r}"
        time.sleep(_PAUSE_SECONDS)
    ended = server.process.poll()
    state = f"gave no good answer in {READY_SECONDS:g} s" if ended is None else f"ended with {ended}"
    raise RuntimeError(f"it {state}; last answer: {answer}; log: {_end_of(server.log)}")


def ask_once(port: int, request: HttpRequest, timeout_seconds: float = 30.0) -> tuple[int, bytes]:
    """Status and body."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout_seconds)
    try:
        connection.request(request.method, request.path, request.body or None, dict(request.headers))
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def put_under_load(
    port: int, request: HttpRequest, folder: Path, *, clients: int, warm_up_seconds: float, seconds: float
) -> tuple[Load, Answer]:
    """What callers in a process of their own see, and a good answer."""
    folder.mkdir(parents=True, exist_ok=True)
    sent, body = folder / "request.bin", folder / "answer.bin"
    sent.write_bytes(wire_format(request))
    given = ("--clients", str(clients), "--warm-up-seconds", str(warm_up_seconds), "--seconds", str(seconds))
    done = run(python("benchmarks.client", "127.0.0.1", str(port), str(sent), *given, "--body", str(body)))
    seen = json.loads(done.output)
    return Load(**seen["load"]), Answer(seen["headers"], body.read_bytes())


def _end_of(log: Path) -> str:
    return log.read_text(errors="replace")[-1500:] if log.exists() else "none"
