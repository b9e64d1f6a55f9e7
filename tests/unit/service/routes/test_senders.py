"""Who may send how much at once, and who makes way for whom."""

import asyncio

import pytest
from starlette.requests import Request
from starlette.types import Message

from service.errors import CallerLimit, Overloaded, SlowSender, UploadBusy
from service.http.bodies import Sender
from service.routes.callers import caller_of
from service.routes.senders import Senders
from service.settings import Settings


def request(*chunks: bytes, address: str = "10.0.0.1") -> Request:
    """One whose sender falls silent after these chunks."""
    left = list(chunks)

    async def receive() -> Message:
        if not left:
            await asyncio.Event().wait()
        return {"type": "http.request", "body": left.pop(0), "more_body": True}

    scope = {"type": "http", "method": "POST", "path": "/", "headers": [], "client": (address, 1)}
    return Request(scope, receive)


def test_each_caller_has_its_share_and_all_have_a_bound() -> None:
    senders = Senders(Settings(max_uploads=3, max_uploads_per_caller=2))
    with senders.admit("a"), senders.admit("a"):
        with pytest.raises(CallerLimit, match="ENDOMASK_MAX_UPLOADS_PER_CALLER"), senders.admit("a"):
            pass
        with senders.admit("b"), pytest.raises(Overloaded, match="ENDOMASK_MAX_UPLOADS"), senders.admit("c"):
            pass
        with senders.admit("c"):
            pass
    with senders.admit("a"):
        pass


def test_a_place_is_free_again_after_a_failure() -> None:
    senders = Senders(Settings(max_uploads=1))
    for _ in range(3):
        with pytest.raises(ValueError, match="broken"), senders.admit("a"):
            raise ValueError("broken")


async def test_silence_ends_a_body_but_slowness_does_not() -> None:
    sender = Sender(request(b"one", b"two"), idle_seconds=0.05)
    found = []
    with pytest.raises(SlowSender, match=r"0\.05 s \(ENDOMASK_SENDER_IDLE_SECONDS\)"):
        found.extend([chunk async for chunk in sender.chunks()])
    taken = Sender(request(b"one", b"two"), idle_seconds=0.05).chunks()
    assert [await anext(taken), await anext(taken)] == [b"one", b"two"]


async def test_who_is_back_ends_the_silence_of_its_dead_connection() -> None:
    senders = Senders(Settings())
    sender = Sender(request(b"one"), idle_seconds=3600)

    async def read() -> None:
        with senders.sending("upload", sender):
            async for _ in sender.chunks():
                started.set()

    started = asyncio.Event()
    reading = asyncio.create_task(read())
    await started.wait()
    await senders.make_way("upload")
    with pytest.raises(UploadBusy):
        await reading
    await senders.make_way("upload")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("10.0.0.1", "10.0.0.2", False),
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:10.0.0.1", "10.0.0.1", True),
        ("fe80::1%eth0", "fe80::2%eth1", True),
        ("testclient", "testclient", True),
    ],
)
def test_callers_are_told_apart_by_what_they_can_not_choose(one: str, other: str, same: bool) -> None:
    first, second = (caller_of(request(address=address)) for address in (one, other))
    assert (first == second) is same
    assert len(first) <= 64
