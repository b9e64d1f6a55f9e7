"""The load: callers that keep their connection and send the same request again as soon as the answer is there.

A process of its own, on asyncio's protocols and the parser that uvicorn uses: a small part of what a frame costs the
server. `python -m benchmarks.client HOST PORT REQUEST ...` reads the request's bytes from a file and prints JSON.
"""

import asyncio
import contextlib
import json
import sys
import time
from argparse import ArgumentParser
from collections import Counter
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import cast

import httptools

from benchmarks.peers.wire import HttpRequest

_STRAGGLER_SECONDS = 60.0


@dataclass(slots=True)
class Load:
    """What the callers saw in the `seconds` after the warm-up: every answer that came then, whenever it was asked for.

    When none came, the time goes on until the first.
    """

    clients: int
    seconds: float
    milliseconds: list[float] = field(default_factory=list)
    """From request to answer, of each good one."""
    timings: list[str] = field(default_factory=list)
    """`Server-Timing` of each answer; empty strings where there was none."""
    statuses: dict[str, int] = field(default_factory=dict)
    broken: int = 0
    """Connections that ended before their answer was whole."""
    reopened: int = 0
    """Connections that the server closed after an answer."""
    cpu_seconds: float = 0.0
    """Of this process, while it measured."""

    @property
    def frames_per_second(self) -> float:
        return len(self.milliseconds) / self.seconds


@dataclass(frozen=True, slots=True)
class Answer:
    """One good answer."""

    headers: dict[str, str]
    body: bytes


class _Run:
    """What all callers of one run share."""

    def __init__(self, request: bytes, clients: int, warm_up_seconds: float, seconds: float) -> None:
        self.request = request
        self.clients = clients
        self.counted_from = time.perf_counter() + warm_up_seconds
        self.ends_at = self.counted_from + seconds
        self.load = Load(clients, seconds)
        self.statuses: Counter[str] = Counter()
        self.answer = Answer({}, b"")
        """The first good one."""
        self.cpu_before = time.process_time()
        """At the first answer that counts."""

    @property
    def is_over(self) -> bool:
        return time.perf_counter() >= self.ends_at and bool(self.statuses)

    def record(self, status: int, sent_at: float, headers: dict[str, str], body: bytes) -> None:
        now = time.perf_counter()
        if now < self.counted_from or (now > self.ends_at and self.statuses):
            return
        if not self.statuses:
            self.cpu_before = time.process_time()
        if now > self.ends_at:
            self.load.seconds = now - self.counted_from
        self.statuses[str(status)] += 1
        if status != 200:
            return
        self.load.milliseconds.append(round(1000 * (now - sent_at), 4))
        self.load.timings.append(headers.get("server-timing", ""))
        if not self.answer.body:
            self.answer = Answer(headers, body)


class _Caller(asyncio.Protocol):
    """One connection."""

    def __init__(self, run: _Run, ended: "asyncio.Future[bool]") -> None:
        self._run = run
        self._ended = ended
        self._waiting = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's are none by inheritance
        self._send()

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        self._waiting = False
        self._run.record(self._parser.get_status_code(), self._sent_at, self._headers, bytes(self._body))
        if self._run.is_over:
            self._transport.close()
        elif self._parser.should_keep_alive():
            asyncio.get_running_loop().call_soon(self._send)

    def connection_lost(self, _: Exception | None) -> None:
        if not self._ended.done():
            self._ended.set_result(not self._waiting)

    def _send(self) -> None:
        if self._transport.is_closing():
            return
        self._parser = httptools.HttpResponseParser(self)
        self._headers: dict[str, str] = {}
        self._body = bytearray()
        self._waiting, self._sent_at = True, time.perf_counter()
        self._transport.write(self._run.request)


async def _keep_calling(run: _Run, host: str, port: int) -> None:
    """One caller until the time is up; it opens a new connection whenever the server closes the old one."""
    loop = asyncio.get_running_loop()
    while not run.is_over and time.perf_counter() < run.ends_at + _STRAGGLER_SECONDS:
        ended: asyncio.Future[bool] = loop.create_future()
        try:
            transport, _ = await loop.create_connection(partial(_Caller, run, ended), host, port)
        except OSError:
            run.load.broken += 1
            await asyncio.sleep(0.05)
            continue
        try:
            whole = await asyncio.wait_for(ended, run.ends_at - time.perf_counter() + _STRAGGLER_SECONDS)
        except TimeoutError:
            whole = False
        transport.close()
        run.load.broken += not whole
        run.load.reopened += whole and not run.is_over


async def call(
    host: str, port: int, request: bytes, *, clients: int, warm_up_seconds: float, seconds: float
) -> tuple[Load, Answer]:
    """Send for a while; what was seen, and a good answer (empty when there was none)."""
    run = _Run(request, clients, warm_up_seconds, seconds)
    await asyncio.gather(*(_keep_calling(run, host, port) for _ in range(clients)))
    run.load.statuses = dict(run.statuses)
    run.load.cpu_seconds = time.process_time() - run.cpu_before
    return run.load, run.answer


def wire_format(request: HttpRequest) -> bytes:
    """A request as it goes over the wire."""
    headers = {"Host": "127.0.0.1", "User-Agent": "endomask-bench", **request.headers}
    headers["Content-Length"] = str(len(request.body))
    lines = [f"{request.method} {request.path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + request.body


def main(arguments: list[str]) -> None:
    parser = ArgumentParser(prog="python -m benchmarks.client", description=__doc__)
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    parser.add_argument("request", type=Path)
    parser.add_argument("--clients", type=int, default=1)
    parser.add_argument("--warm-up-seconds", type=float, default=0.5)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--body", type=Path, help="where to write the body of a good answer")
    given = parser.parse_args(arguments)
    load, answer = _runner().run(
        call(
            given.host,
            given.port,
            given.request.read_bytes(),
            clients=given.clients,
            warm_up_seconds=given.warm_up_seconds,
            seconds=given.seconds,
        )
    )
    if given.body is not None:
        given.body.write_bytes(answer.body)
    sys.stdout.write(json.dumps({"load": asdict(load), "headers": answer.headers}) + "\n")


def _runner() -> asyncio.Runner:
    """On uvloop where it is installed."""
    with contextlib.suppress(ImportError):
        import uvloop  # noqa: PLC0415

        return asyncio.Runner(loop_factory=uvloop.new_event_loop)
    return asyncio.Runner()


if __name__ == "__main__":
    main(sys.argv[1:])
