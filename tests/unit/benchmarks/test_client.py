"""The load's callers, against a small server whose every answer is known."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from benchmarks.client import Answer, Load, call, wire_format
from benchmarks.peers.wire import HttpRequest

REQUEST = HttpRequest("POST", "/v1/segment", {"Accept": "image/png"}, b"a picture")
GOOD = b"HTTP/1.1 200 OK\r\nServer-Timing: infer;dur=1.5\r\nContent-Length: 4\r\n\r\nmask"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nma\r\n2\r\nsk\r\n0\r\n\r\n"
FULL = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"
LAST = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 4\r\n\r\nmask"
CUT_OFF = b"HTTP/1.1 200 OK\r\nContent-Length: 400\r\n\r\nmas"


class Stub:
    """Answers the n-th request with `answer(n)`; closes after one that is not kept alive or not whole."""

    def __init__(self, answer: Callable[[int], bytes]) -> None:
        self.requests: list[bytes] = []
        self.connections = 0
        self._answer = answer

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        length = len(wire_format(REQUEST))
        try:
            while True:
                self.requests.append(await reader.readexactly(length))
                answer = self._answer(len(self.requests) - 1)
                writer.write(answer)
                await writer.drain()
                if answer in (LAST, CUT_OFF):
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def served(answer: Callable[[int], bytes]) -> AsyncIterator[tuple[Stub, int]]:
    stub = Stub(answer)
    async with await asyncio.start_server(stub.serve, "127.0.0.1", 0) as server:
        yield stub, server.sockets[0].getsockname()[1]


async def ask(port: int, clients: int = 1, warm_up_seconds: float = 0.0, seconds: float = 0.1) -> tuple[Load, Answer]:
    return await call(
        "127.0.0.1", port, wire_format(REQUEST), clients=clients, warm_up_seconds=warm_up_seconds, seconds=seconds
    )


async def test_the_same_request_is_sent_again_and_again_over_one_connection_each() -> None:
    async with served(lambda _: GOOD) as (stub, port):
        load, answer = await ask(port, clients=3, seconds=1.0)
    assert stub.connections == 3
    assert set(stub.requests) == {wire_format(REQUEST)}
    assert load.statuses == {"200": len(load.milliseconds)}
    assert len(stub.requests) >= len(load.milliseconds) > 3
    assert answer == Answer({"server-timing": "infer;dur=1.5", "content-length": "4"}, b"mask")
    assert set(load.timings) == {"infer;dur=1.5"}
    assert (load.broken, load.reopened) == (0, 0)
    assert load.frames_per_second == len(load.milliseconds) / load.seconds


async def test_the_warm_up_is_not_counted() -> None:
    async with served(lambda _: GOOD) as (stub, port):
        load, _ = await ask(port, warm_up_seconds=0.2, seconds=0.02)
    assert len(load.milliseconds) < len(stub.requests)


async def test_a_chunked_answer_is_read_whole() -> None:
    async with served(lambda _: CHUNKED) as (_, port):
        _, answer = await ask(port)
    assert answer.body == b"mask"


async def test_refusals_are_counted_by_status_and_are_no_frames() -> None:
    async with served(lambda number: GOOD if number % 2 else FULL) as (_, port):
        load, answer = await ask(port, seconds=1.0)
    assert load.statuses["503"] > 0
    assert load.statuses["200"] == len(load.milliseconds)
    assert answer.body == b"mask"


async def test_a_server_that_closes_after_each_answer_is_called_again() -> None:
    async with served(lambda _: LAST) as (stub, port):
        load, _ = await ask(port, seconds=1.0)
    assert stub.connections > 1
    assert load.reopened > 0
    assert load.broken == 0


async def test_an_answer_that_is_cut_off_is_counted_as_broken() -> None:
    async with served(lambda number: CUT_OFF if number == 1 else GOOD) as (_, port):
        load, _ = await ask(port, seconds=1.0)
    assert load.broken == 1
    assert load.milliseconds


async def test_an_answer_later_than_the_time_asked_for_still_counts() -> None:
    async with served(lambda _: GOOD) as (_, port):
        load, _ = await ask(port, seconds=0.0)
    assert len(load.milliseconds) == 1
    assert load.seconds > 0


async def test_the_callers_own_work_is_counted_while_it_is_measured_only() -> None:
    def compute_before_the_first(number: int) -> bytes:
        until = time.process_time() + (1.0 if number == 0 else 0.0)
        while time.process_time() < until:
            pass
        return GOOD

    async with served(compute_before_the_first) as (_, port):
        load, _ = await ask(port, clients=4, warm_up_seconds=0.2, seconds=0.05)
    assert 0 < load.cpu_seconds < 1.0
