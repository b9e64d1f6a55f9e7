"""A frame's way from a worker thread over the device to a worker thread: the event loop starts it and hears its end.

A frame that is alone in the house is closed by the device's thread."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Generic, TypeVar

from service.batching.tickets import Inference, Ticket
from service.frame_threads import FrameThreads, Step
from service.imaging.geometry import U8

Opened = TypeVar("Opened")
Answer = TypeVar("Answer")


class Journey(Generic[Opened, Answer]):
    """`open_frame` gives what `close_frame` needs besides the inference, and the model's input uint8 [h, w, 3].

    `answer` has what `close_frame` gives, or the first error on the way; a refusal is there at once, whatever step the
    frame is at or waits for. Waking the event loop once instead of after each step takes a third off what a frame costs
    it.
    """

    def __init__(
        self,
        threads: FrameThreads,
        ticket: Ticket,
        open_frame: Callable[[], tuple[Opened, U8]],
        close_frame: Callable[[Opened, Inference], Answer],
    ) -> None:
        self.answer: Future[Answer] = Future()
        self._threads = threads
        self._ticket = ticket
        self._open_frame = open_frame
        self._close_frame = close_frame
        self._changed = threading.Lock()
        self._answering = threading.Lock()
        """Taken while others are held, holds none itself: a refusal comes in whatever thread, at whatever step."""
        self._abandoned = False
        self._inference: Future[Inference] | None = None
        ticket.on_refusal = self._fail
        self._follow(threads.begin, self._open)

    def abandon(self) -> None:
        """Nobody waits any more: takes the frame out of the queue, and keeps it out once this returns."""
        with self._changed:
            self._abandoned = True
            inference = self._inference
        if inference is not None:
            inference.cancel()

    def _follow(self, submit: Callable[[Step], "Future[None]"], step: Step) -> None:
        with self._failing():
            submit(step).add_done_callback(self._stop_if_cancelled)

    def _open(self) -> None:
        with self._failing():
            if self._abandoned:
                return
            self._ticket.check()
            opened, prepared = self._open_frame()
            with self._changed:
                if self._abandoned:
                    return
                self._inference = inference = self._ticket.submit(prepared)
            inference.add_done_callback(lambda done: self._arrive(opened, done))

    def _arrive(self, opened: Opened, done: "Future[Inference]") -> None:
        """In the device's thread, which has nothing else to do when nobody else is in the house: two threads less to
        wake."""
        self._inference = None  # whose callback holds the frame and this
        if self._ticket.is_alone():
            self._close(opened, done)
        else:
            self._follow(self._threads.end, lambda: self._close(opened, done))

    def _close(self, opened: Opened, done: "Future[Inference]") -> None:
        with self._failing():
            if self._abandoned:
                return
            answer = self._close_frame(opened, done.result())
            self._give(lambda: self.answer.set_result(answer))

    def _stop_if_cancelled(self, step: "Future[None]") -> None:
        """The threads were shut down before the step's turn."""
        if step.cancelled():
            self.answer.cancel()

    @contextmanager
    def _failing(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # noqa: BLE001 - whatever it is, it belongs to who waits for the answer
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        self._give(lambda: self.answer.set_exception(error))

    def _give(self, give: Callable[[], None]) -> None:
        """Once, and to who still waits."""
        with self._answering:
            if not self.answer.done() and self.answer.set_running_or_notify_cancel():
                give()
