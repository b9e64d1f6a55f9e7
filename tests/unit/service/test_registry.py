"""What is served, and that swapping it hurts nobody."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from service.backends.choice import Choice
from service.batching.tickets import Priority
from service.errors import Conflict, InferenceFailed, PackageError, StartError, UnknownModel
from service.imaging.geometry import U8
from service.loading import OpenBackend, load_model, names_on_disk, open_best
from service.manifest.package import Package
from service.metrics import Metrics
from service.registry import OLDER_VERSIONS_KEPT, Registry
from service.settings import Settings
from tests.support.red import FakeBackend, write_red_package
from tests.support.running import fake_backend, red_settings
from tests.support.waiting import until

RED_INPUT = np.full((64, 96, 3), (230, 20, 20), np.uint8)


class Opened:
    """Registries that are closed after the test."""

    def __init__(self) -> None:
        self.registries: list[Registry] = []

    def __call__(self, settings: Settings, open_backend: OpenBackend = fake_backend) -> Registry:
        registry = Registry(settings, Metrics(CollectorRegistry()), open_backend)
        registry.load_all()
        self.registries.append(registry)
        return registry


@pytest.fixture
def opened() -> Iterator[Opened]:
    made = Opened()
    yield made
    for registry in made.registries:
        registry.close()


class Blind(FakeBackend):
    """Loads, and sees nothing."""

    def run(self, frames: U8) -> U8:
        return np.zeros_like(super().run(frames))


class Broken(FakeBackend):
    def run(self, frames: U8) -> U8:
        raise InferenceFailed("out of memory")


def blind(_package: Package, _settings: Settings) -> Choice:
    return Choice(Blind())


def damage(folder: Path) -> None:
    (folder / "model.onnx").write_bytes(b"not what the manifest says")


async def test_the_highest_version_answers_by_default(tmp_path: Path, opened: Opened) -> None:
    settings = red_settings(tmp_path)
    write_red_package(settings.models_dir, version=9)
    write_red_package(settings.models_dir, version=10)
    registry = opened(settings)
    async with registry.lease() as model:
        assert model.label == "red/10"
    assert registry.versions("red") == [1, 9, 10]


def with_lanes(package: Package, _settings: Settings) -> Choice:
    """One run at a time, and two lanes under load."""
    lanes = FakeBackend(channels=package.manifest.channels)
    lanes.lanes = 2
    return Choice(FakeBackend(channels=package.manifest.channels), open_under_load=lambda: lanes)


async def test_lanes_are_opened_after_the_model_serves(tmp_path: Path, opened: Opened) -> None:
    registry = opened(red_settings(tmp_path), with_lanes)
    (model,) = registry.served()
    await until(lambda: model.batcher.under_load.lanes == 2)
    assert model.loaded.backend.lanes == 1


async def test_a_version_loaded_later_gets_its_lanes_too(tmp_path: Path, opened: Opened) -> None:
    settings = red_settings(tmp_path)
    write_red_package(settings.models_dir, version=2)
    registry = opened(settings, with_lanes)
    async with registry.lease("red", 1) as model:
        await until(lambda: model.batcher.under_load.lanes == 2)


@pytest.mark.parametrize("error", [PackageError("other masks"), RuntimeError("no memory for streams")])
async def test_lanes_that_do_not_open_leave_one_run_at_a_time(
    tmp_path: Path, opened: Opened, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    def refuse() -> FakeBackend:
        raise error

    registry = opened(red_settings(tmp_path), lambda *_: Choice(FakeBackend(), open_under_load=refuse))
    (model,) = registry.served()
    await until(lambda: f"red/1 runs frames one by one, under load too: {error}" in caplog.text)
    with model.batcher.admit(Priority.FRAMES) as ticket:
        assert ticket.submit(RED_INPUT).result(20).probabilities.min() == 255
    assert model.batcher.under_load is model.loaded.backend


async def test_an_unknown_model_or_version_says_what_is_there(tmp_path: Path, opened: Opened) -> None:
    registry = opened(red_settings(tmp_path))
    with pytest.raises(UnknownModel, match="there is no model 'blue'; there is red"):
        async with registry.lease("blue"):
            pass
    with pytest.raises(UnknownModel, match="model red has no version 7; there is 1"):
        async with registry.lease("red", 7):
            pass


async def test_an_older_version_is_loaded_once_when_first_asked_for(tmp_path: Path, opened: Opened) -> None:
    settings = red_settings(tmp_path)
    write_red_package(settings.models_dir, version=2)
    registry = opened(settings)
    async with registry.lease("red", 1) as first, registry.lease("red", 1) as second:
        assert first is second
        assert first.label == "red/1"
    assert [model.label for model in registry.loaded()] == ["red/2", "red/1"]


async def test_only_so_many_older_versions_stay_loaded(tmp_path: Path, opened: Opened) -> None:
    settings = red_settings(tmp_path)
    newest = OLDER_VERSIONS_KEPT + 3
    for version in range(2, newest + 1):
        write_red_package(settings.models_dir, version=version)
    registry = opened(settings)
    async with registry.lease("red", 1) as oldest:
        for version in range(2, newest):
            async with registry.lease("red", version):
                pass
        assert len(registry.loaded()) == 1 + OLDER_VERSIONS_KEPT
        with oldest.batcher.admit(Priority.FRAMES) as ticket:
            assert ticket.submit(RED_INPUT).result(20).probabilities.min() == 255


async def test_an_older_version_that_does_not_hold_is_refused_and_nothing_else_suffers(
    tmp_path: Path, opened: Opened
) -> None:
    settings = red_settings(tmp_path)
    write_red_package(settings.models_dir, version=2)
    damage(settings.models_dir / "red" / "1")
    registry = opened(settings)
    with pytest.raises(Conflict, match=r"red/1 can't be loaded: red/1: model\.onnx has checksum"):
        async with registry.lease("red", 1):
            pass
    async with registry.lease("red") as model:
        assert model.label == "red/2"


async def test_reload_swaps_to_a_newer_version_and_running_requests_end_on_the_old(
    tmp_path: Path, opened: Opened
) -> None:
    settings = red_settings(tmp_path)
    registry = opened(settings)
    async with registry.lease() as before:
        write_red_package(settings.models_dir, version=2)
        after, changed = await registry.reload("red")
        assert (changed, after.label) == (True, "red/2")
        with before.batcher.admit(Priority.FRAMES) as ticket:
            assert ticket.submit(RED_INPUT).result(20).probabilities.min() == 255
    before.batcher.close()
    assert not before.batcher.alive
    assert after.batcher.alive


async def test_reload_without_a_change_keeps_what_is_loaded(tmp_path: Path, opened: Opened) -> None:
    registry = opened(red_settings(tmp_path))
    before = registry.get("red")
    assert await registry.reload("red") == (before, False)


async def test_reload_takes_a_package_that_was_changed_in_place(tmp_path: Path, opened: Opened) -> None:
    settings = red_settings(tmp_path)
    registry = opened(settings)
    write_red_package(settings.models_dir, classes=3)
    after, changed = await registry.reload("red")
    assert changed
    assert after.manifest.channels == 3


async def test_reload_of_a_model_that_appeared_after_the_start_serves_it(tmp_path: Path, opened: Opened) -> None:
    settings = red_settings(tmp_path)
    registry = opened(settings)
    write_red_package(settings.models_dir, name="late")
    await registry.reload("late")
    async with registry.lease("late") as model:
        assert model.label == "late/1"


async def test_a_reload_that_fails_leaves_the_old_version_serving_and_tells_no_path(
    tmp_path: Path, opened: Opened
) -> None:
    settings = red_settings(tmp_path)

    def fail_on_the_second(package: Package, _settings: Settings) -> Choice:
        if package.manifest.version == 2:
            raise PackageError(f"can't read {package.model_path('fp32').resolve()}")
        return Choice(FakeBackend())

    registry = opened(settings, fail_on_the_second)
    write_red_package(settings.models_dir, version=2)
    with pytest.raises(Conflict, match=r"red/2 can't be loaded: can't read \.\.\./red/2/model\.onnx"):
        await registry.reload("red")
    async with registry.lease() as model:
        assert model.label == "red/1"


@pytest.mark.parametrize("name", ["..", "../models/red", "", "red/1", "Ünï"])
async def test_a_name_that_is_no_name_never_becomes_a_path(tmp_path: Path, opened: Opened, name: str) -> None:
    registry = opened(red_settings(tmp_path))
    with pytest.raises(UnknownModel):
        await registry.reload(name)


def test_a_start_without_the_default_model_says_what_is_there(tmp_path: Path, opened: Opened) -> None:
    with pytest.raises(StartError, match=r"default model instruments is not in .*ENDOMASK_DEFAULT_MODEL.*there is red"):
        opened(red_settings(tmp_path, default_model="instruments"))
    with pytest.raises(StartError, match="there is no model package"):
        opened(Settings(models_dir=tmp_path / "nowhere"))


def test_a_damaged_file_stops_the_start_with_its_name(tmp_path: Path, opened: Opened) -> None:
    settings = red_settings(tmp_path)
    damage(settings.models_dir / "red" / "1")
    with pytest.raises(PackageError, match=r"red/1: model\.onnx has checksum"):
        opened(settings)


def test_golden_outputs_that_are_not_reproduced_stop_the_start(tmp_path: Path, opened: Opened) -> None:
    with pytest.raises(PackageError, match=r"red/1 on fake cpu fp32: .* pixels change class; the limit is 0\.20%"):
        opened(red_settings(tmp_path), blind)


def test_a_backend_that_fails_on_the_golden_frames_stops_the_start(tmp_path: Path, opened: Opened) -> None:
    with pytest.raises(PackageError, match="red/1: out of memory"):
        opened(red_settings(tmp_path), lambda _package, _settings: Choice(Broken()))


def test_the_largest_batch_is_warmed_up(tmp_path: Path) -> None:
    backend = FakeBackend(max_batch=8)
    package = write_red_package(tmp_path)
    load_model(package, Settings(), lambda _package, _settings: Choice(backend))
    assert backend.batch_sizes[-1] == 8


def test_folders_that_are_no_models_are_passed_over(tmp_path: Path) -> None:
    write_red_package(tmp_path)
    for name in (".git/1", "notes", "red/draft", "__pycache__/1"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "README.md").write_text(json.dumps({}))
    assert names_on_disk(tmp_path) == ["red"]


def test_the_real_runtimes_load_the_red_package(tmp_path: Path, opened: Opened) -> None:
    registry = opened(red_settings(tmp_path, provider="cpu"), open_best)
    loaded = registry.get("red").loaded
    assert loaded.backend.provider == "cpu"
    assert loaded.golden.changed_share == 0
    assert [line.backend for line in loaded.choice.candidates if line.chosen] == [loaded.backend.name]


def device_threads() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name.startswith("device ") and thread.is_alive()}


def test_a_model_that_does_not_load_stops_the_start_and_leaves_no_thread_of_the_others(tmp_path: Path) -> None:
    settings = red_settings(tmp_path)
    write_red_package(settings.models_dir, name="another")
    damage(write_red_package(settings.models_dir, name="broken").folder)
    before = device_threads()
    with pytest.raises(PackageError, match=r"broken/1: model\.onnx has checksum"):
        Registry(settings, Metrics(CollectorRegistry()), fake_backend).load_all()
    assert device_threads() <= before
