"""One frame's way, and what happens to it when its caller leaves or the house is full."""

import asyncio
import json
import logging
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from prometheus_client import CollectorRegistry
from starlette.types import Message

from service.app import create_app
from service.backends.choice import Choice
from service.batching.tickets import Priority
from service.imaging.geometry import U8, InputSpec, content_box, resize
from service.manifest.schema import Manifest
from service.metrics import Metrics
from service.pipeline import FrameOptions, Pipeline, StageTimes, close_frame, open_frame
from service.registry import Registry
from service.settings import Settings
from tests.support.gate import DEADLINE_SECONDS, GatedBackend
from tests.support.red import FakeBackend, red_frame, red_probabilities, write_red_package
from tests.support.running import RED_PNG, encode, fake_backend, red_settings, running
from tests.support.waiting import until

OPTIONS = FrameOptions(max_megapixels=50)


def letterboxed(tmp_path: Path) -> Manifest:
    manifest = write_red_package(tmp_path).manifest
    boxed = manifest.input.model_copy(update={"height": 96, "width": 96, "resize": "letterbox"})
    return manifest.model_copy(update={"input": boxed})


def test_letterbox_bars_are_in_no_mask_and_no_number(tmp_path: Path) -> None:
    manifest, times = letterboxed(tmp_path), StageTimes()
    body = encode(red_frame(120, 240, (0, 0, 240, 120)))
    for size, shape in (("frame", (120, 240)), ("model", (48, 96))):
        options = FrameOptions(max_megapixels=50, size=size, keep_pixels=True)  # type: ignore[arg-type]
        opened = open_frame(body, None, manifest.input.spec(), options, times)
        assert opened.prepared.shape == (96, 96, 3)
        result = close_frame(opened, red_probabilities(opened.prepared[None])[0], manifest, options, times)
        assert result.labels.shape == shape
        assert result.rgb is not None
        assert result.rgb.shape[:2] == shape
        assert result.stats.coverage == 1.0


def test_pixels_are_kept_only_for_an_overlay(tmp_path: Path) -> None:
    spec = letterboxed(tmp_path).input.spec()
    assert open_frame(RED_PNG, None, spec, OPTIONS, StageTimes()).rgb is None


def test_a_jpeg_decoded_at_a_reduced_size_has_a_mask_of_its_own_size(tmp_path: Path) -> None:
    manifest, times = write_red_package(tmp_path).manifest, StageTimes()
    frame = red_frame(640, 960, (96, 128, 320, 160))
    body = encode(frame, ".jpg")
    for options in (OPTIONS, FrameOptions(max_megapixels=50, keep_pixels=True)):
        opened = open_frame(body, None, manifest.input.spec(), options, times)
        assert (opened.height, opened.width) == (640, 960)
        assert opened.rgb is None or opened.rgb.shape == frame.shape
        result = close_frame(opened, red_probabilities(opened.prepared[None])[0], manifest, options, times)
        assert result.labels.shape == (640, 960)
        assert np.mean((result.labels > 0) == (frame[..., 1] < 80)) > 0.98


def test_a_reduced_jpeg_lies_where_its_mask_is_cut_out() -> None:
    """A half of 909 rows is 455, which alone would be fitted as 243 rows instead of 242."""
    spec = InputSpec(288, 288, "letterbox")
    body = encode(np.full((909, 1080, 3), 200, np.uint8), ".jpg")
    prepared = open_frame(body, None, spec, OPTIONS, StageTimes()).prepared
    box = content_box(spec, 909, 1080)
    seen = (prepared > 100).all(axis=(1, 2))
    assert (np.flatnonzero(seen) == np.arange(box.top, box.top + box.height)).all()


def test_a_small_overlay_is_drawn_on_what_the_camera_saw(tmp_path: Path) -> None:
    manifest, times = write_red_package(tmp_path).manifest, StageTimes()
    filtered = manifest.input.model_copy(update={"filters": ("equalise", "smooth")})
    manifest = manifest.model_copy(update={"input": filtered})
    frame = red_frame()
    options = FrameOptions(max_megapixels=50, size="model", keep_pixels=True)
    opened = open_frame(encode(frame), None, manifest.input.spec(), options, times)
    result = close_frame(opened, red_probabilities(opened.prepared[None])[0], manifest, options, times)
    assert result.rgb is not None
    assert (result.rgb == resize(frame, 64, 96)).all()


async def test_frames_through_the_pipeline_come_back_in_their_own_shape(tmp_path: Path) -> None:
    settings, metrics = red_settings(tmp_path), Metrics(CollectorRegistry())
    registry, pipeline = Registry(settings, metrics, fake_backend), Pipeline(metrics)
    registry.load_all()
    frames = [red_frame(40 + 10 * number, 160) for number in range(6)]
    async with registry.lease() as model:
        labels: list[U8] = await asyncio.gather(
            *(pipeline.segment(encode(frame), model, OPTIONS, lambda result: result.labels) for frame in frames)
        )
    assert [mask.shape for mask in labels] == [frame.shape[:2] for frame in frames]
    for frame, mask in zip(frames, labels, strict=True):
        truth = frame[..., 1] < 80
        assert np.mean((mask > 0) == truth) > 0.98
    pipeline.close()
    registry.close()


async def test_a_package_changed_in_place_is_counted_by_its_own_classes(tmp_path: Path) -> None:
    settings, metrics = red_settings(tmp_path), Metrics(CollectorRegistry())
    registry, pipeline = Registry(settings, metrics, fake_backend), Pipeline(metrics)
    registry.load_all()
    for classes in (2, 3):
        write_red_package(settings.models_dir, classes=classes)
        await registry.reload("red")
        async with registry.lease() as model:
            stats = await pipeline.segment(RED_PNG, model, OPTIONS, lambda result: result.stats)
        assert len(stats.classes) == classes - 1
    pipeline.close()
    registry.close()


def test_the_files_of_a_request_do_not_refuse_each_other_in_a_small_house(tmp_path: Path) -> None:
    with running(red_settings(tmp_path, max_queued_frames=1)) as client:
        answer = client.post("/v1/segment", files=[("file", (name, RED_PNG)) for name in "abcdef"])
    assert [frame.get("code") for frame in answer.json()["frames"]] == [None] * 6


class Caller:
    """One raw ASGI request to an app, which can hang up."""

    def __init__(self, app: Callable[..., Any], body: bytes, content_type: bytes = b"image/png") -> None:
        self.sent: list[Message] = []
        self.gone = asyncio.Event()
        self.sends = True
        """Nothing of the body was read yet."""
        self._body = body
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "POST",
            "path": "/v1/segment",
            "raw_path": b"/v1/segment",
            "query_string": b"",
            "root_path": "",
            "scheme": "http",
            "headers": [(b"content-type", content_type)],
            "client": ("test", 1),
            "server": ("test", 80),
        }
        self.task = asyncio.create_task(app(scope, self._receive, self._send))

    async def _receive(self) -> Message:
        if self.sends:
            self.sends = False
            return {"type": "http.request", "body": self._body, "more_body": False}
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        self.sent.append(message)

    async def status(self) -> int:
        await asyncio.wait_for(self.task, DEADLINE_SECONDS)
        return int(self.sent[0]["status"])


def gated(backend: FakeBackend) -> Callable[[Any, Settings], Choice]:
    return lambda _package, _settings: Choice(backend)


async def test_a_caller_who_hangs_up_takes_its_frame_out_of_the_queue(tmp_path: Path) -> None:
    backend = GatedBackend()
    app = create_app(red_settings(tmp_path), open_backend=gated(backend))
    async with app.router.lifespan_context(app):
        backend.seen.clear()
        while backend.entered.acquire(blocking=False):
            pass
        backend.hold()
        first = Caller(app, RED_PNG)
        assert await asyncio.to_thread(backend.entered.acquire, timeout=DEADLINE_SECONDS)
        second, third = Caller(app, RED_PNG), Caller(app, RED_PNG)
        batcher = app.state.registry.get("red").batcher
        await until(lambda: batcher.waiting(Priority.FRAMES) == 2)
        second.gone.set()
        assert await second.status() == 499
        backend.release()
        assert [await first.status(), await third.status()] == [200, 200]
        assert len(backend.seen) == 2


async def test_a_full_house_answers_503_at_once_and_says_when_to_come_again(tmp_path: Path) -> None:
    backend = GatedBackend()
    app = create_app(red_settings(tmp_path, max_queued_frames=1), open_backend=gated(backend))
    async with app.router.lifespan_context(app):
        while backend.entered.acquire(blocking=False):
            pass
        backend.hold()
        first = Caller(app, RED_PNG)
        assert await asyncio.to_thread(backend.entered.acquire, timeout=DEADLINE_SECONDS)
        refused = Caller(app, RED_PNG)
        assert await refused.status() == 503
        assert refused.sends, "its body was not waited for"
        assert (b"retry-after", b"1") in refused.sent[0]["headers"]
        assert json.loads(refused.sent[1]["body"])["code"] == "overloaded"
        backend.release()
        assert await first.status() == 200
        assert await Caller(app, RED_PNG).status() == 200


class FailingBackend(FakeBackend):
    """Fails once told to, and knows which of the frames that it was given are still there."""

    def __init__(self) -> None:
        super().__init__()
        self.fails = False
        self._given: list[weakref.ref[U8]] = []

    def run(self, frames: U8) -> U8:
        if self.fails:
            self._given.append(weakref.ref(frames.base))  # the frame itself; the batch is another look at it
            raise RuntimeError("the device is out of memory")
        return super().run(frames)

    def fates(self) -> list[bool]:
        """Of each frame that failed, whether it is still there."""
        return [frame() is not None for frame in self._given]


TWO_FILES = b"".join(
    b'--cut\r\nContent-Disposition: form-data; name="file"; filename="%d.png"\r\n'
    b"Content-Type: image/png\r\n\r\n%b\r\n" % (number, RED_PNG)
    for number in range(2)
)


@pytest.mark.usefixtures("no_collector")
async def test_a_frame_that_failed_is_freed_once_that_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)  # pytest keeps what is logged, and a trace keeps its frames
    backend = FailingBackend()
    app = create_app(red_settings(tmp_path), open_backend=gated(backend))
    async with app.router.lifespan_context(app):
        backend.fails = True
        assert await Caller(app, RED_PNG).status() == 500
        await until(lambda: backend.fates() == [False])
        files = TWO_FILES + b"--cut--\r\n"
        assert await Caller(app, files, b"multipart/form-data; boundary=cut").status() == 200
        await until(lambda: backend.fates() == [False] * 3)


async def test_stopping_with_frames_in_the_queue_does_not_hang(tmp_path: Path) -> None:
    backend = GatedBackend()
    app = create_app(red_settings(tmp_path), open_backend=gated(backend))
    async with asyncio.timeout(DEADLINE_SECONDS), app.router.lifespan_context(app):
        while backend.entered.acquire(blocking=False):
            pass
        backend.hold()
        running_frame = Caller(app, RED_PNG)
        assert await asyncio.to_thread(backend.entered.acquire, timeout=DEADLINE_SECONDS)
        waiting = Caller(app, RED_PNG)
        batcher = app.state.registry.get("red").batcher
        await until(lambda: batcher.waiting(Priority.FRAMES) == 1)
        asyncio.get_running_loop().call_later(0.05, backend.release)
        batcher.close(timeout_seconds=0)
        assert await waiting.status() == 503
        assert await running_frame.status() == 200


def test_readiness_names_what_is_missing(tmp_path: Path) -> None:
    with running(red_settings(tmp_path, workers=1)) as client:
        answer = client.get("/readyz")
        assert (answer.status_code, answer.json()["code"]) == (503, "not_ready")
        assert "no video worker is alive" in answer.json()["detail"]
        client.app.state.registry.get("red").batcher.close()  # type: ignore[attr-defined]
        assert "the device thread of red/1 has ended" in client.get("/readyz").json()["detail"]
        assert client.get("/livez").status_code == 200


async def test_no_request_fails_while_models_are_swapped_under_it(tmp_path: Path) -> None:
    settings = red_settings(tmp_path)
    app = create_app(settings, open_backend=fake_backend)
    async with app.router.lifespan_context(app):
        registry: Registry = app.state.registry
        callers: list[Caller] = []
        for version in range(2, 6):
            callers.extend(Caller(app, RED_PNG) for _ in range(5))
            await asyncio.to_thread(write_red_package, settings.models_dir, version=version)
            reloading = asyncio.create_task(registry.reload("red"))
            callers.extend(Caller(app, RED_PNG) for _ in range(5))
            _, changed = await reloading
            assert changed
        statuses = [await caller.status() for caller in callers]
        assert statuses == [200] * len(callers)
        assert [model.label for model in registry.loaded()] == ["red/5"]
