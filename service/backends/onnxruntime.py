"""ONNX Runtime on TensorRT, CUDA or the CPU. It would fall back to the CPU silently; this module never does."""

import logging
from pathlib import Path
from queue import SimpleQueue
from typing import TypeAlias

import onnxruntime as ort

from service.backends import Precision, file_precision
from service.backends.binding import BoundSession, OwnThread
from service.backends.buckets import buckets_for
from service.backends.compiled import compiled_folder
from service.backends.contract import Port, check_contract
from service.backends.pinned import cuda_runtime
from service.backends.providers import (
    Device,
    Engine,
    Listed,
    attempts_for,
    devices_of,
    load_libraries,
    provider_name,
)
from service.errors import InferenceFailed, PackageError, ProviderUnavailable
from service.imaging.geometry import U8
from service.manifest.package import Package

log = logging.getLogger(__name__)

_Lane: TypeAlias = BoundSession | OwnThread


class OnnxRuntimeBackend:
    """One ONNX file of a package, on each GPU or in `lanes` lanes on the CPU.

    `cache_dir` keeps TensorRT's engines. Raises ProviderUnavailable when the provider asked for does not run here,
    PackageError when the file does not keep the contract: `frames` uint8 [N, h, w, 3] in, `probabilities` uint8
    [N, C, h, w] out.
    """

    name = "onnxruntime"

    def __init__(
        self,
        package: Package,
        *,
        provider: str,
        precision: Precision,
        threads: int,
        lanes: int = 1,
        max_batch: int = 1,
        cache_dir: Path | None = None,
    ) -> None:
        if precision == "bf16":
            raise ProviderUnavailable("backend onnxruntime does not compute in bf16 (ENDOMASK_PRECISION)")
        self.provider = provider
        self.precision: str = precision
        self.threads = threads
        self.max_batch = 1 if provider == "cpu" else max_batch
        self._label = package.label
        engine = _engine(package, provider, precision, self.max_batch, cache_dir)
        devices = devices_of(provider)
        opened = (
            _open_on_cpu(package, devices[0], engine, threads, lanes)
            if provider == "cpu"
            else [_open_on_gpu(package, device, engine, threads) for device in devices]
        )
        self.lanes = len(opened)
        self._free: SimpleQueue[_Lane] = SimpleQueue()
        for session in opened:
            self._free.put(session)

    def run(self, frames: U8) -> U8:
        """RGB uint8 [N, h, w, 3] -> probabilities uint8 [N, C, h, w], on the GPU or lane that was free longest.

        Raises InferenceFailed.
        """
        session = self._free.get()
        try:
            return session.run(frames)
        except Exception as error:
            raise InferenceFailed(f"{self._label} failed on a batch of {len(frames)} frames") from error
        finally:
            self._free.put(session)


def _engine(package: Package, provider: str, precision: Precision, max_batch: int, cache_dir: Path | None) -> Engine:
    """What TensorRT builds, and the folder that keeps it: one for each model file; none where it does not run."""
    entry, file = package.manifest.input, package.manifest.files[file_precision(precision)]
    kept_in = cache_dir if provider == "tensorrt" else None
    folder = compiled_folder(kept_in, f"tensorrt/{package.manifest.name}-{file.sha256[:16]}")
    return Engine(entry.height, entry.width, max_batch, precision, folder)


def _open_on_gpu(package: Package, device: Device, engine: Engine, threads: int) -> _Lane:
    def open_bound() -> BoundSession:
        session = _open_session(package, device, engine, threads)
        return BoundSession(session, device, buckets_for(engine.max_batch), cuda_runtime())

    return OwnThread(open_bound)


def _open_on_cpu(package: Package, device: Device, engine: Engine, threads: int, lanes: int) -> list[_Lane]:
    """A session runs for as many callers as there are, each in its own thread; where a run has further threads, each
    lane has a session of its own, since those would be shared."""
    opened = [_open_session(package, device, engine, threads) for _ in range(1 if threads == 1 else lanes)]
    return [BoundSession(opened[lane % len(opened)], device, (1,), None) for lane in range(lanes)]


def _open_session(package: Package, device: Device, engine: Engine, threads: int) -> ort.InferenceSession:
    load_libraries(device.provider)
    path = package.model_path(file_precision(engine.precision))
    session = _start(path, device.provider, attempts_for(device, engine), threads, package.label)
    if (active := session.get_providers()[0]) != provider_name(device.provider):
        raise ProviderUnavailable(f"provider {device.provider} was asked for, onnxruntime fell back to {active}")
    _check(session, package)
    return session


def _start(path: Path, provider: str, attempts: list[Listed], threads: int, label: str) -> ort.InferenceSession:
    """The first attempt that loads; a graph that CUDA can't capture says so while it loads.

    Raises ProviderUnavailable where a GPU does not take the model (its memory is full, say), on the CPU PackageError.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # Its threads would busy-wait between runs and take the cores from whoever works there then.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    failed: list[Exception] = []
    for providers in attempts:
        try:
            # Without its own second attempt, which prints and takes providers that nobody asked for.
            return ort.InferenceSession(path, options, providers=providers, enable_fallback=0)
        except Exception as error:  # noqa: BLE001 - the runtime raises its own kinds and plain RuntimeErrors
            log.info("%s: onnxruntime can't load %s with %s: %s", label, path.name, providers, error)
            failed.append(error)
    if provider != "cpu":
        raise ProviderUnavailable(f"{label}: provider {provider} can't load {path.name}: {failed[-1]}") from failed[-1]
    raise PackageError(f"{label}: onnxruntime can't load {path.name}: {failed[-1]}") from failed[-1]


def _check(session: ort.InferenceSession, package: Package) -> None:
    found = session.get_modelmeta().custom_metadata_map.get("contract_sha256")
    inputs, outputs = session.get_inputs(), session.get_outputs()
    check_contract(package, [_port(node) for node in inputs], [_port(node) for node in outputs], found)


def _port(node: ort.NodeArg) -> Port:
    return node.name, node.type.removeprefix("tensor(").removesuffix(")"), node.shape[1:]
