"""A frame on its way between threads: every end of it reaches who waits, and a frame that nobody wants is not run."""

import threading
import weakref
from collections.abc import Iterator
from concurrent.futures import CancelledError

import numpy as np
import pytest

from service.batching.batcher import Batcher
from service.batching.tickets import Inference, Priority
from service.errors import Overloaded
from service.frame_threads import FrameThreads
from service.imaging.geometry import U8
from service.journey import Journey
from tests.support.gate import DEADLINE_SECONDS, GatedBackend

FRAME = np.zeros((8, 8, 3), np.uint8)


@pytest.fixture
def backend() -> GatedBackend:
    return GatedBackend()


@pytest.fixture
def batcher(backend: GatedBackend) -> Iterator[Batcher]:
    batcher = Batcher(backend, "red/1", max_frames=8)
    yield batcher
    backend.release()
    batcher.close()


def opened() -> tuple[str, U8]:
    return "opened", FRAME


def closed(what: str, inference: Inference) -> tuple[str, tuple[int, ...]]:
    return what, inference.probabilities.shape


def held(by: threading.Event) -> None:
    assert by.wait(DEADLINE_SECONDS)


def test_the_answer_is_made_of_what_was_opened_and_of_the_inference(threads: FrameThreads, batcher: Batcher) -> None:
    with batcher.admit(Priority.FRAMES) as ticket:
        journey = Journey(threads, ticket, opened, closed)
        assert journey.answer.result(DEADLINE_SECONDS) == ("opened", (1, 8, 8))


def test_an_error_on_either_side_of_the_device_is_the_answer(threads: FrameThreads, batcher: Batcher) -> None:
    def fail(*_: object) -> tuple[str, U8]:
        raise ValueError("this frame")

    for open_frame, close_frame in ((fail, closed), (opened, fail)):
        with batcher.admit(Priority.FRAMES) as ticket, pytest.raises(ValueError, match="this frame"):
            Journey(threads, ticket, open_frame, close_frame).answer.result(DEADLINE_SECONDS)


def test_a_failing_device_is_the_answer(threads: FrameThreads) -> None:
    batcher = Batcher(GatedBackend(fails_on=(0, 0, 0)), "red/1", max_frames=8)
    with batcher.admit(Priority.FRAMES) as ticket, pytest.raises(Exception, match="red/1 failed on this frame"):
        Journey(threads, ticket, opened, closed).answer.result(DEADLINE_SECONDS)
    batcher.close()


def test_a_frame_abandoned_while_it_is_opened_never_reaches_the_device(
    threads: FrameThreads, batcher: Batcher, backend: GatedBackend
) -> None:
    entered, leave = threading.Event(), threading.Event()

    def open_slowly() -> tuple[str, U8]:
        entered.set()
        assert leave.wait(DEADLINE_SECONDS)
        return opened()

    with batcher.admit(Priority.FRAMES) as ticket:
        journey = Journey(threads, ticket, open_slowly, closed)
        assert entered.wait(DEADLINE_SECONDS)
        journey.abandon()
    leave.set()
    threads.shutdown(wait=True)
    assert backend.seen == []
    assert not journey.answer.done()


class Picture:
    """What a frame holds until its end."""


@pytest.mark.usefixtures("no_collector")
@pytest.mark.parametrize("end", ["answered", "refused", "abandoned"])
def test_a_frame_is_freed_at_its_end_and_not_when_the_garbage_collector_comes(
    threads: FrameThreads, batcher: Batcher, backend: GatedBackend, end: str
) -> None:
    pictures: list[weakref.ref[Picture]] = []

    def picture() -> Picture:
        made = Picture()
        pictures.append(weakref.ref(made))
        return made

    def travel() -> None:
        encoded = picture()

        def open_picture() -> tuple[tuple[Picture, Picture], U8]:
            return (encoded, picture()), FRAME

        with batcher.admit(Priority.FRAMES) as ticket:
            journey = Journey(threads, ticket, open_picture, lambda _pictures, _inference: end)
            assert backend.entered.acquire(timeout=DEADLINE_SECONDS)
            if end == "refused":
                ticket.refuse(Overloaded("too many come"))
            elif end == "answered":
                backend.release()
                assert journey.answer.result(DEADLINE_SECONDS) == "answered"
            journey.abandon()

    backend.hold()
    travel()
    backend.release()
    threads.shutdown(wait=True)
    batcher.close()
    assert [held() for held in pictures] == [None, None]


def test_a_frame_abandoned_while_it_waits_for_a_thread_is_not_opened(
    threads: FrameThreads, batcher: Batcher, backend: GatedBackend
) -> None:
    hold, was_opened = threading.Event(), threading.Event()
    threads.begin(lambda: held(hold))

    def open_frame() -> tuple[str, U8]:
        was_opened.set()
        return opened()

    with batcher.admit(Priority.FRAMES) as ticket:
        Journey(threads, ticket, open_frame, closed).abandon()
    hold.set()
    threads.begin(lambda: None).result(DEADLINE_SECONDS)
    assert not was_opened.is_set()


def test_a_frame_that_is_refused_while_it_waits_for_a_thread_is_told_at_once(
    batcher: Batcher, backend: GatedBackend
) -> None:
    threads, hold = FrameThreads(1), threading.Event()
    threads.begin(lambda: held(hold))
    with batcher.admit(Priority.FRAMES) as ticket:
        journey = Journey(threads, ticket, opened, closed)
        ticket.refuse(Overloaded("too many come"))
        with pytest.raises(Overloaded, match="too many come"):
            journey.answer.result(0)
    hold.set()
    threads.shutdown(wait=True)
    assert backend.seen == []


def test_a_frame_that_is_refused_while_it_is_opened_is_told_once_and_not_run(
    threads: FrameThreads, batcher: Batcher, backend: GatedBackend, caplog: pytest.LogCaptureFixture
) -> None:
    entered, leave = threading.Event(), threading.Event()

    def open_slowly() -> tuple[str, U8]:
        entered.set()
        assert leave.wait(DEADLINE_SECONDS)
        return opened()

    with batcher.admit(Priority.FRAMES) as ticket:
        journey = Journey(threads, ticket, open_slowly, closed)
        assert entered.wait(DEADLINE_SECONDS)
        ticket.refuse(Overloaded("too many come"))
        with pytest.raises(Overloaded, match="too many come"):
            journey.answer.result(0)
        leave.set()
        threads.shutdown(wait=True)
    assert backend.seen == []
    assert not caplog.records


def test_a_frame_abandoned_in_the_queue_is_not_run(
    threads: FrameThreads, batcher: Batcher, backend: GatedBackend
) -> None:
    backend.hold()
    with batcher.admit(Priority.FRAMES) as first, batcher.admit(Priority.FRAMES) as second:
        running = Journey(threads, first, opened, closed)
        assert backend.entered.acquire(timeout=DEADLINE_SECONDS)
        waiting = Journey(threads, second, opened, closed)
        threads.begin(lambda: None).result(DEADLINE_SECONDS)
        waiting.abandon()
        backend.release()
        running.answer.result(DEADLINE_SECONDS)
    batcher.close()
    assert len(backend.seen) == 1


def test_threads_that_are_shut_down_cancel_the_answer(batcher: Batcher) -> None:
    threads, hold = FrameThreads(1), threading.Event()
    threads.begin(lambda: held(hold))
    with batcher.admit(Priority.FRAMES) as ticket:
        journey = Journey(threads, ticket, opened, closed)
        threads.shutdown()
        with pytest.raises(CancelledError):
            journey.answer.result(DEADLINE_SECONDS)
        late = Journey(threads, ticket, opened, closed)
        with pytest.raises(RuntimeError, match="after a shutdown"):
            late.answer.result(DEADLINE_SECONDS)
    hold.set()


def test_who_is_alone_is_closed_where_it_was_run_and_who_is_not_leaves_the_device_to_the_next(
    threads: FrameThreads, batcher: Batcher, backend: GatedBackend
) -> None:
    def close_here(*_: object) -> str:
        return threading.current_thread().name

    with batcher.admit(Priority.FRAMES) as ticket:
        assert Journey(threads, ticket, opened, close_here).answer.result(DEADLINE_SECONDS) == "device red/1 0"
    with batcher.admit(Priority.FRAMES) as ticket, batcher.admit(Priority.LIVE):
        closed_in = Journey(threads, ticket, opened, close_here).answer.result(DEADLINE_SECONDS)
        assert closed_in.startswith("frame")
