"""Every frame of a batch has its own fate, whatever happens to its neighbours."""

import time
import traceback
import weakref

import numpy as np
import pytest

from service.batching.runs import Runs
from service.batching.tickets import Inference, Item, Priority
from service.errors import EndomaskError, InferenceFailed, NotReady
from service.imaging.geometry import U8
from tests.support.devices import BAD, numbered
from tests.support.red import FakeBackend


def item_of(frame: U8) -> Item:
    item = Item(Priority.FRAMES)
    item.frame, item.submitted_at = frame, time.perf_counter()
    return item


def run(backend: FakeBackend, *frames: U8) -> tuple[list[Inference | EndomaskError], list[int]]:
    """Answers, and the sizes of the batches that ran."""
    sizes: list[int] = []
    runs = Runs("red/1", lambda size, _seconds: sizes.append(size))
    return runs.run(backend, [item_of(frame) for frame in frames]), sizes


def test_the_frames_of_a_batch_run_together_and_each_has_its_mask() -> None:
    answers, sizes = run(FakeBackend(), numbered(1), numbered(2))
    assert sizes == [2]
    assert [int(answer.probabilities.max()) for answer in answers if isinstance(answer, Inference)] == [0, 255]


def test_a_failing_frame_fails_alone_in_its_batch() -> None:
    bad = np.full((4, 6, 3), BAD, np.uint8)
    answers, sizes = run(FakeBackend(fails_on=BAD), numbered(2), bad, numbered(4))
    first, failed, last = answers
    assert isinstance(first, Inference)
    assert isinstance(last, Inference)
    assert isinstance(failed, InferenceFailed)
    assert str(failed) == "red/1 failed on this frame"
    assert "RuntimeError: the device refused this batch" in failed.__notes__[0]
    assert sizes == [1, 1], "what failed is no batch that ran"


def test_an_error_that_says_what_is_wrong_is_told_as_it_is() -> None:
    class Busy(FakeBackend):
        def run(self, frames: U8) -> U8:
            raise NotReady("the device is busy")

    (answer,), _ = run(Busy(), numbered(1))
    assert isinstance(answer, NotReady)
    assert str(answer) == "the device is busy"


@pytest.mark.usefixtures("no_collector")
@pytest.mark.parametrize("kind", [RuntimeError, NotReady])
def test_a_failed_frame_is_freed_while_its_error_is_still_told(kind: type[Exception]) -> None:
    class Failing(FakeBackend):
        def run(self, frames: U8) -> U8:
            raise kind("the device is busy") from ValueError("of the driver")

    def fail() -> tuple[list[weakref.ref[U8]], list[Exception]]:
        items = [item_of(numbered(number)) for number in (1, 2)]
        answers = Runs("red/1", lambda _size, _seconds: None).run(Failing(max_batch=2), items)
        told = [answer for answer in answers if isinstance(answer, EndomaskError)]
        for item, answer in zip(items, told, strict=True):
            item.future.set_exception(answer)
        return [weakref.ref(item.frame) for item in items], [*told]

    frames, told = fail()
    assert len(told) == 2
    traces = ["".join(traceback.format_exception(entry)) for entry in told]
    assert all("ValueError: of the driver" in trace and "the device is busy" in trace for trace in traces)
    assert [frame() is None for frame in frames] == [True, True]


def test_a_backend_that_loses_a_frame_fails_it_instead_of_mixing_masks_up() -> None:
    class Losing(FakeBackend):
        def run(self, frames: U8) -> U8:
            return super().run(frames)[1:]

    answers, sizes = run(Losing(), numbered(1), numbered(2))
    assert [str(answer) for answer in answers] == ["red/1 gave 0 masks for 1 frames"] * 2
    assert sizes == []


def test_a_frame_that_is_not_contiguous_is_handed_over_contiguous() -> None:
    class Strict(FakeBackend):
        def run(self, frames: U8) -> U8:
            assert frames.flags.c_contiguous
            return super().run(frames)

    (answer,), _ = run(Strict(), numbered(2)[:, ::-1])
    assert isinstance(answer, Inference)
