"""An open load: requests at a fixed pace, whatever became of the earlier ones, as cameras and crowds send them.

A process of its own. `python -m benchmarks.pacer HOST PORT REQUEST --per-second N` reads the request's bytes from a
file and prints JSON. A request goes over a connection that has nothing to do, else over a new one.
"""

import asyncio
import json
import sys
import time
from argparse import ArgumentParser
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import cast

import httptools

_STRAGGLER_SECONDS = 30.0
_ACCEPTED, _REFUSED = 200, 503


@dataclass(slots=True)
class Paced:
    """What came of the requests of one run. Milliseconds are from the moment at which a request was due."""

    sent: int = 0
    accepted_ms: list[float] = field(default_factory=list)
    refused_ms: list[float] = field(default_factory=list)
    others: dict[str, int] = field(default_factory=dict)
    """Other statuses; `broken` connections and those `unanswered` at the end."""


class _Connection(asyncio.Protocol):
    """One request at a time."""

    def __init__(self, idle: "list[_Connection]", seen: Paced, others: Counter[str]) -> None:
        self._idle = idle
        self._seen = seen
        self._others = others
        self._due_at: float | None = None
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def send(self, request: bytes, due_at: float) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._due_at = due_at
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        if self._due_at is None:
            return
        milliseconds = round(1000 * (time.perf_counter() - self._due_at), 3)
        self._due_at = None
        status = self._parser.get_status_code()
        if status == _ACCEPTED:
            self._seen.accepted_ms.append(milliseconds)
        elif status == _REFUSED:
            self._seen.refused_ms.append(milliseconds)
        else:
            self._others[str(status)] += 1
        if self._parser.should_keep_alive():
            self._idle.append(self)
        else:
            self.transport.close()

    def connection_lost(self, _: Exception | None) -> None:
        if self._due_at is not None:
            self._due_at = None
            self._others["broken"] += 1
        if self in self._idle:
            self._idle.remove(self)


class _Pacer:
    def __init__(self, host: str, port: int, request: bytes) -> None:
        self._address = (host, port)
        self._request = request
        self._idle: list[_Connection] = []
        self._others: Counter[str] = Counter()
        self.seen = Paced()

    async def run(self, per_second: float, seconds: float) -> Paced:
        started_at = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for number in range(int(per_second * seconds)):
                due_at = started_at + number / per_second
                if (ahead := due_at - time.perf_counter()) > 0:
                    await asyncio.sleep(ahead)
                group.create_task(self._send(due_at))
        deadline = time.perf_counter() + _STRAGGLER_SECONDS
        while self._open() and time.perf_counter() < deadline:  # noqa: ASYNC110 - answers come on many connections
            await asyncio.sleep(0.01)
        self._others["unanswered"] += self._open()
        self.seen.others = {what: count for what, count in self._others.items() if count}
        return self.seen

    async def _send(self, due_at: float) -> None:
        self.seen.sent += 1
        connection = self._idle.pop() if self._idle else await self._connect()
        if connection is not None:
            connection.send(self._request, due_at)

    async def _connect(self) -> _Connection | None:
        try:
            _, made = await asyncio.get_running_loop().create_connection(
                lambda: _Connection(self._idle, self.seen, self._others), *self._address
            )
        except OSError:
            self._others["broken"] += 1
            return None
        return made

    def _open(self) -> int:
        answered = len(self.seen.accepted_ms) + len(self.seen.refused_ms) + self._others.total()
        return self.seen.sent - answered


def main(arguments: list[str]) -> None:
    parser = ArgumentParser(prog="python -m benchmarks.pacer", description=__doc__)
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    parser.add_argument("request", type=Path)
    parser.add_argument("--per-second", type=float, required=True)
    parser.add_argument("--seconds", type=float, default=10.0)
    given = parser.parse_args(arguments)
    pacer = _Pacer(given.host, given.port, given.request.read_bytes())
    seen = asyncio.run(pacer.run(given.per_second, given.seconds))
    sys.stdout.write(json.dumps(asdict(seen)) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
