"""Fixed buffers by batch size: the path of a GPU, here on ONNX Runtime's CPU provider."""

import ctypes
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest

from service.backends.binding import BoundSession, OwnThread
from service.backends.pinned import cuda_runtime, staging
from service.backends.providers import Device
from service.imaging.geometry import U8
from service.manifest.package import Package
from tests.support.red import red_frame, red_probabilities, write_red_package

BUCKETS = (1, 2, 4)


@pytest.fixture
def session(tmp_path: Path) -> ort.InferenceSession:
    package: Package = write_red_package(tmp_path)
    return ort.InferenceSession(package.model_path("fp32"), providers=["CPUExecutionProvider"])


class Noted:
    """A session that notes the batch sizes and the names of the graphs it runs."""

    def __init__(self, session: ort.InferenceSession) -> None:
        self._session = session
        self.ran: list[tuple[int, str]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    def run_with_iobinding(self, binding: ort.IOBinding, options: ort.RunOptions) -> None:
        self._session.run_with_iobinding(binding, options)
        self.ran.append((binding.get_outputs()[0].shape()[0], options.get_run_config_entry("gpu_graph_id")))


def frames(count: int, shift: int = 0) -> U8:
    return np.stack([red_frame(64, 96, (8 * index + shift, 10, 20, 12)) for index in range(count)])


def test_batches_are_padded_to_their_bucket_and_each_bucket_is_a_graph_of_its_own(
    session: ort.InferenceSession,
) -> None:
    noted = Noted(session)
    bound = BoundSession(noted, Device("cpu"), BUCKETS, None)  # type: ignore[arg-type]
    for count in (1, 2, 3, 4, 5):
        assert (bound.run(frames(count)) == red_probabilities(frames(count))).all()
    assert noted.ran == [(1, "1"), (2, "2"), (4, "4"), (4, "4"), (5, "5")]


def test_what_an_earlier_batch_left_in_the_buffer_reaches_nobody(session: ort.InferenceSession) -> None:
    bound = BoundSession(session, Device("cpu"), BUCKETS, None)
    bound.run(np.full((4, 64, 96, 3), (230, 20, 20), np.uint8))
    answer = bound.run(frames(3))
    assert answer.shape == (3, 1, 64, 96)
    assert (answer == red_probabilities(frames(3))).all()


def test_an_answer_is_the_callers_own(session: ort.InferenceSession) -> None:
    bound = BoundSession(session, Device("cpu"), BUCKETS, None)
    first = bound.run(frames(2))
    bound.run(np.zeros((2, 64, 96, 3), np.uint8))
    assert (first == red_probabilities(frames(2))).all()


def test_frames_of_another_size_are_not_stretched_into_the_buffer(session: ort.InferenceSession) -> None:
    bound = BoundSession(session, Device("cpu"), BUCKETS, None)
    with pytest.raises(ValueError, match=r"frames are \(1, 1, 96, 3\), the model takes"):
        bound.run(np.zeros((1, 1, 96, 3), np.uint8))


class Placed(Noted):
    """Notes the threads that it runs in."""

    def __init__(self, session: ort.InferenceSession) -> None:
        super().__init__(session)
        self.threads = {threading.get_ident()}

    def run_with_iobinding(self, binding: ort.IOBinding, options: ort.RunOptions) -> None:
        self.threads.add(threading.get_ident())
        super().run_with_iobinding(binding, options)


def test_a_gpus_session_is_opened_and_run_in_one_thread_whoever_asks(session: ort.InferenceSession) -> None:
    placed: list[Placed] = []

    def open_session() -> BoundSession:
        placed.append(Placed(session))
        return BoundSession(placed[0], Device("cpu"), BUCKETS, None)  # type: ignore[arg-type]

    lane = OwnThread(open_session)
    asked = [frames(1), frames(2), frames(4)]
    with ThreadPoolExecutor(len(asked)) as callers:
        answers = list(callers.map(lane.run, asked))
    assert all((answer == red_probabilities(given)).all() for given, answer in zip(asked, answers, strict=True))
    assert len(placed[0].threads) == 1
    assert threading.get_ident() not in placed[0].threads
    with pytest.raises(ValueError, match="the model takes"):
        lane.run(np.zeros((1, 1, 96, 3), np.uint8))


class FakeRuntime:
    """The two calls of the CUDA runtime; `error` is what locking answers."""

    def __init__(self, error: int = 0) -> None:
        self.error = error
        self.locked: list[tuple[int | None, int, int]] = []
        self.unlocked: list[int | None] = []

    def cudaHostRegister(self, address: ctypes.c_void_p, size: ctypes.c_size_t, flags: int) -> int:  # noqa: N802
        self.locked.append((address.value, size.value, flags))
        return self.error

    def cudaHostUnregister(self, address: ctypes.c_void_p) -> int:  # noqa: N802
        self.unlocked.append(address.value)
        return 0


def test_host_buffers_are_locked_while_they_live() -> None:
    runtime = FakeRuntime()
    array = staging((2, 4, 6, 3), runtime)
    address = array.ctypes.data
    assert runtime.locked == [(address, array.nbytes, 1)]
    assert runtime.unlocked == []
    del array
    assert runtime.unlocked == [address]


def test_memory_that_can_not_be_locked_is_used_as_it_is() -> None:
    runtime = FakeRuntime(error=2)
    array = staging((2, 4), runtime)
    del array
    assert runtime.unlocked == []


def test_the_runtime_is_the_one_that_is_loaded(tmp_path: Path) -> None:
    libc = next(line.split()[-1] for line in Path("/proc/self/maps").read_text().splitlines() if "/libc" in line)
    (tmp_path / "libcudart.so.13").symlink_to(libc)
    maps = tmp_path / "maps"
    maps.write_text(f"7f00-7f01 r--p 0 0 0 {libc}\n7f02-7f03 r-xp 0 0 0 {tmp_path}/libcudart.so.13\n")
    assert cuda_runtime(maps)._name == f"{tmp_path}/libcudart.so.13"
    maps.write_text("7f00-7f01 r--p 0 0 0\n")
    assert cuda_runtime(maps) is None
