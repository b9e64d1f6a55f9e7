"""Model name -> loaded versions: load, swap, unload.

Only the event loop's thread changes what is loaded; loading itself runs in a thread and publishes at the end.
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager

from service.backends.cores import available_cores
from service.batching.batcher import Batcher
from service.errors import Conflict, EndomaskError, PackageError, StartError, UnknownModel
from service.loading import LoadedModel, OpenBackend, load_model, names_on_disk, open_best, packages_on_disk
from service.manifest.package import Package
from service.metrics import Metrics
from service.settings import Settings

log = logging.getLogger(__name__)

OLDER_VERSIONS_KEPT = 4
"""Versions besides the served ones that stay loaded after a request named them."""


class ServedModel:
    """A loaded model with its device threads. It is unloaded when it was retired and its last lease ended."""

    def __init__(self, loaded: LoadedModel, settings: Settings, metrics: Metrics) -> None:
        self.loaded = loaded
        self.manifest = loaded.manifest
        self.label = loaded.label
        self.batcher = Batcher(
            loaded.backend,
            loaded.label,
            max_frames=settings.max_queued_frames,
            max_batch=settings.max_batch_frames,
            batch_wait_seconds=settings.batch_wait_ms / 1000,
            run_seconds=loaded.run_seconds,
            on_batch=metrics.batch_size.labels(self.manifest.name).observe,
        )
        self._leases = 0
        self._retired = False

    def open_lanes(self) -> None:
        """Have frames that are not alone run beside each other, where that answers more of them."""
        backend = self.loaded.open_under_load()
        if backend is not None:
            try:
                self.batcher.add_lanes(backend)
            except RuntimeError:
                log.exception("%s has not all the threads of its lanes", self.label)
            log.info("%s under load: %d lanes of %d threads", self.label, backend.lanes, backend.threads)

    @contextmanager
    def lease(self) -> Iterator["ServedModel"]:
        """Keep the model loaded meanwhile, whatever is swapped."""
        self._leases += 1
        try:
            yield self
        finally:
            self._leases -= 1
            self._unload_if_unused()

    def retire(self) -> None:
        self._retired = True
        self._unload_if_unused()

    def _unload_if_unused(self) -> None:
        if self._retired and not self._leases:
            self.batcher.close(timeout_seconds=0)
            log.info("unloaded %s", self.label)


class Registry:
    """The models that answer. Names not on disk are UnknownModel, with what is there."""

    def __init__(self, settings: Settings, metrics: Metrics, open_backend: OpenBackend = open_best) -> None:
        self._settings = settings
        self._metrics = metrics
        self._open_backend = open_backend
        self._served: dict[str, ServedModel] = {}
        self._older: OrderedDict[tuple[str, int], ServedModel] = OrderedDict()
        self._loading = asyncio.Lock()
        self._opening_lanes = ThreadPoolExecutor(1, thread_name_prefix="lanes")
        """After a model began to serve: compiling it once more must not hold that up."""

    def load_all(self) -> None:
        """Load the newest version of every model on disk; raises StartError. Called once, before serving."""
        models_dir = self._settings.models_dir
        names = names_on_disk(models_dir)
        default = self._settings.default_model
        if default not in names:
            there = ", ".join(names) or "no model package"
            raise StartError(
                f"the default model {default} is not in {models_dir} (ENDOMASK_MODELS_DIR, ENDOMASK_DEFAULT_MODEL); "
                f"there is {there}"
            )
        newest = {name: max(packages_on_disk(models_dir, name)) for name in names}
        # Compiling leaves the GIL: two models load in little more time than one.
        with ThreadPoolExecutor(min(len(newest), available_cores()), thread_name_prefix="load") as pool:
            loads = {name: pool.submit(self._load, name, version) for name, version in newest.items()}
        try:
            self._served = {name: load.result() for name, load in loads.items()}
        except BaseException:
            _close_loaded(loads.values())
            raise
        for model in self.served():
            self._opening_lanes.submit(model.open_lanes)

    def served(self) -> list[ServedModel]:
        """The versions that answer by default, by name."""
        return [self._served[name] for name in sorted(self._served)]

    def loaded(self) -> list[ServedModel]:
        """All that are in memory, older versions too."""
        return [*self.served(), *self._older.values()]

    def versions(self, name: str) -> list[int]:
        return list(packages_on_disk(self._settings.models_dir, name)) if name in self._served else []

    def get(self, name: str) -> ServedModel:
        """The version of a model that is served by default; raises UnknownModel."""
        if name not in self._served:
            raise UnknownModel(f"there is no model {name[:64]!r}; there is {', '.join(sorted(self._served))}")
        return self._served[name]

    @asynccontextmanager
    async def lease(self, name: str | None = None, version: int | None = None) -> AsyncIterator[ServedModel]:
        """The model to answer with: the default one, the served version, or an older one, loaded if need be.

        It stays loaded inside the context, whatever is swapped meanwhile. Raises UnknownModel, and Conflict when an
        older version can't be loaded.
        """
        model = await self._find(name, version)
        with model.lease():
            yield model

    async def _find(self, name: str | None, version: int | None) -> ServedModel:
        served = self.get(name or self._settings.default_model)
        if version is None or version == served.manifest.version:
            return served
        key = (served.manifest.name, version)
        async with self._loading:
            if key not in self._older:
                self._require_on_disk(*key)
                self._older[key] = await self._load_in_thread(*key)
                self._forget_oldest()
            self._older.move_to_end(key)
            return self._older[key]

    async def reload(self, name: str) -> tuple[ServedModel, bool]:
        """Serve the newest version on disk; whether that changed anything. Running requests end on the one they have.

        Raises UnknownModel when there is none, Conflict when it can't be loaded: then the old one serves on.
        """
        async with self._loading:
            versions = packages_on_disk(self._settings.models_dir, name) if _is_name(name) else {}
            if not versions:
                return self.get(name), False
            current = self._served.get(name)
            if current is not None and not self._differs(current, max(versions)):
                return current, False
            fresh = await self._load_in_thread(name, max(versions))
            self._served[name] = fresh
            self._retire_older(name, max(versions))
            if current is not None:
                current.retire()
            return fresh, True

    def close(self) -> None:
        """End the device threads."""
        self._opening_lanes.shutdown(cancel_futures=True)
        for model in self.loaded():
            model.batcher.close()

    def _differs(self, current: ServedModel, newest: int) -> bool:
        """Whether the newest version on disk is another than the one in memory, or was changed since."""
        if newest != current.manifest.version:
            return True
        try:
            return Package.read(current.loaded.package.folder).manifest != current.manifest
        except PackageError:
            return True

    def _retire_older(self, name: str, version: int) -> None:
        if (older := self._older.pop((name, version), None)) is not None:
            older.retire()

    def _forget_oldest(self) -> None:
        while len(self._older) > OLDER_VERSIONS_KEPT:
            self._older.popitem(last=False)[1].retire()

    def _require_on_disk(self, name: str, version: int) -> None:
        there = packages_on_disk(self._settings.models_dir, name)
        if version not in there:
            listed = ", ".join(map(str, there))
            raise UnknownModel(f"model {name} has no version {version}; there is {listed}")

    async def _load_in_thread(self, name: str, version: int) -> ServedModel:
        try:
            model = await asyncio.get_running_loop().run_in_executor(None, self._load, name, version)
        except StartError as error:
            log.exception("%s/%d can't be loaded", name, version)
            reason = str(error).replace(str(self._settings.models_dir.resolve()), "...")
            raise Conflict(f"{name}/{version} can't be loaded: {reason}") from error
        self._opening_lanes.submit(model.open_lanes)
        return model

    def _load(self, name: str, version: int) -> ServedModel:
        try:
            package = Package.read(self._settings.models_dir / name / str(version))
            loaded = load_model(package, self._settings, self._open_backend)
        except EndomaskError as error:
            self._metrics.model_loads.labels(name, "failed").inc()
            if isinstance(error, StartError):
                raise
            raise PackageError(f"{name}/{version}: {error}") from error
        self._metrics.model_loads.labels(name, "loaded").inc()
        backend = loaded.backend
        log.info(
            "loaded %s on %s %s %s with %d threads",
            loaded.label,
            backend.name,
            backend.provider,
            backend.precision,
            backend.threads,
        )
        return ServedModel(loaded, self._settings, self._metrics)


def _close_loaded(loads: Iterable["Future[ServedModel]"]) -> None:
    """End the device threads of those that did load."""
    for load in loads:
        if load.exception() is None:
            load.result().batcher.close()


def _is_name(name: str) -> bool:
    """Only what could be a package's name is ever joined to a path."""
    return name.replace("-", "").replace("_", "").isalnum() and name.isascii()
