"""What a frame holds on its way through a model's batcher: its ticket, its place in the queue, its answer."""

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TypeAlias

from service.errors import Overloaded
from service.imaging.geometry import U8


class Priority(IntEnum):
    """Lower goes first."""

    LIVE = 0
    FRAMES = 1
    VIDEO = 2


@dataclass(frozen=True, slots=True)
class Inference:
    """Probabilities uint8 [C, h, w] of one frame, and how long it waited for the device and ran there."""

    probabilities: U8
    queue_seconds: float
    infer_seconds: float


@dataclass(slots=True, eq=False)
class Item:
    """A frame that is expected at the device, is queued or runs there."""

    priority: Priority
    future: "Future[Inference]" = field(default_factory=Future)
    frame: U8 = field(init=False)
    """Model input uint8 [h, w, 3], once it was submitted."""
    submitted_at: float = field(init=False)

    def fail(self, error: Exception) -> None:
        """Unless its caller has cancelled it. For items that no device thread has taken."""
        if self.future.set_running_or_notify_cancel():
            self.future.set_exception(error)


Submit: TypeAlias = Callable[[Item, U8], "Future[Inference]"]


class Ticket:
    """The right to have one frame in the house. Made by `Batcher.admit`."""

    def __init__(self, item: Item, submit: Submit, is_alone: Callable[[], bool]) -> None:
        self.item: Item | None = item
        """None once it has left."""
        self._submit = submit
        self.is_alone = is_alone
        """Whether no other frame is in the house."""
        self.refusal: Overloaded | None = None
        """Why it was refused after all."""
        self.on_refusal: Callable[[Overloaded], None] = _tell_nobody
        """Told when that happens, in whatever thread."""

    def refuse(self, why: Overloaded) -> None:
        """After all."""
        self.refusal = why
        self.on_refusal(why)

    def leave(self) -> None:
        """The house, with its frame, which is freed at once: both would hold each other until the garbage collector
        came, and a thousand frames are a hundred megabytes."""
        self.item = None
        self.on_refusal = _tell_nobody

    def check(self) -> None:
        """Raise Overloaded when the frame was refused meanwhile; asked before the work that it would cost."""
        if self.refusal is not None:
            raise self.refusal

    def submit(self, frame: U8) -> "Future[Inference]":
        """Model input uint8 [h, w, 3] -> future; cancelling it before its batch starts takes it out of the queue.

        Raises Overloaded when it was refused meanwhile, NotReady when the model is going away.
        """
        self.check()
        if (item := self.item) is None:
            raise ValueError("a frame was submitted after its ticket had left the house")
        return self._submit(item, frame)


def _tell_nobody(_why: Overloaded) -> None:
    pass
