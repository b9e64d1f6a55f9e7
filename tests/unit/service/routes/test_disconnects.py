"""Nobody works for a caller who has hung up."""

import asyncio

import pytest
from starlette.requests import ClientDisconnect, Request
from starlette.types import Message

from service.routes.disconnects import unless_gone

DEADLINE_SECONDS = 60


class Line:
    """A request whose body was read, and whose caller can hang up."""

    def __init__(self) -> None:
        self.listening = False
        self.hangs_up = asyncio.Event()
        self.request = Request({"type": "http", "method": "POST", "path": "/", "headers": []}, self._receive)

    async def _receive(self) -> Message:
        self.listening = True
        try:
            await self.hangs_up.wait()
        finally:
            self.listening = False
        return {"type": "http.disconnect"}


class Work:
    """Something that takes until it is done."""

    def __init__(self) -> None:
        self.begun, self.done = asyncio.Event(), asyncio.Event()
        self.cancelled = False

    async def run(self) -> str:
        self.begun.set()
        try:
            await self.done.wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        return "answer"


@pytest.fixture
async def line() -> Line:
    return Line()


async def test_who_stays_is_answered_and_listened_to_no_more(line: Line) -> None:
    work = Work()
    answer = asyncio.create_task(unless_gone(line.request, work.run()))
    await work.begun.wait()
    await asyncio.sleep(0)
    assert line.listening
    work.done.set()
    assert await asyncio.wait_for(answer, DEADLINE_SECONDS) == "answer"
    await asyncio.sleep(0)
    assert not line.listening


async def test_work_for_a_caller_who_has_hung_up_is_cancelled(line: Line) -> None:
    work = Work()
    line.hangs_up.set()
    with pytest.raises(ClientDisconnect):
        await asyncio.wait_for(unless_gone(line.request, work.run()), DEADLINE_SECONDS)
    assert work.cancelled


async def test_an_answer_that_is_made_at_once_is_given(line: Line) -> None:
    work = Work()
    work.done.set()
    line.hangs_up.set()
    assert await unless_gone(line.request, work.run()) == "answer"


@pytest.mark.parametrize("error", [TimeoutError("the work's own"), ValueError("broken")])
async def test_an_error_of_the_work_is_not_taken_for_a_hang_up(line: Line, error: Exception) -> None:
    async def fail() -> str:
        raise error

    with pytest.raises(type(error)) as raised:
        await unless_gone(line.request, fail())
    assert raised.value is error


async def test_a_request_that_is_cancelled_from_outside_stays_cancelled(line: Line) -> None:
    work = Work()
    answer = asyncio.create_task(unless_gone(line.request, work.run()))
    await work.begun.wait()
    answer.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(answer, DEADLINE_SECONDS)
    assert work.cancelled
    await asyncio.sleep(0)
    assert not line.listening
