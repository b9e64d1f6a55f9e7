"""OpenVINO on the CPU. It computes in bfloat16 unasked where the CPU has it; here that is a precision of its own.

`openvino` is imported when a backend is opened, not with this module: it takes a fifth of a second of CPU time.
"""

import sys
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from queue import SimpleQueue
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from service.backends import Precision, file_precision
from service.backends.compiled import compiled_folder
from service.backends.contract import Port, check_contract
from service.errors import InferenceFailed, PackageError, ProviderUnavailable
from service.imaging.geometry import U8
from service.manifest.package import Package

if TYPE_CHECKING:
    import openvino

_CONTRACT = ["framework", "contract_sha256"]
"""Where OpenVINO's reader puts the ONNX file's metadata property."""
_HINTS = {"fp32": "f32", "bf16": "bf16", "fp16": "f16", "int8": "f32"}
_CAPABILITIES: dict[Precision, str] = {"bf16": "BF16", "fp16": "FP16"}


class OpenVinoBackend:
    """One ONNX file of a package, compiled for single frames on the CPU, in `lanes` streams of `threads` threads each.

    `cache_dir` keeps what was compiled. `bf16` computes the FP32 file in bfloat16. In an INT8 file what is not
    quantised is computed in FP32. Raises ProviderUnavailable when OpenVINO, the provider or the precision is not there,
    PackageError when the file does not keep the contract.
    """

    name = "openvino"

    def __init__(
        self,
        package: Package,
        *,
        provider: str = "cpu",
        precision: Precision,
        threads: int,
        lanes: int = 1,
        max_batch: int = 1,
        cache_dir: Path | None = None,
    ) -> None:
        del max_batch  # a CPU gains nothing from a batch
        _require(provider, precision)
        self.provider = provider
        self.precision: str = precision
        self.threads = threads
        self.max_batch = 1
        self.lanes = lanes
        self._label = package.label
        self._free: SimpleQueue[openvino.InferRequest] = SimpleQueue()
        for request in _compile(package, precision, threads, lanes, cache_dir):
            self._free.put(request)

    def run(self, frames: U8) -> U8:
        """RGB uint8 [N, h, w, 3] -> probabilities uint8 [N, C, h, w], frame by frame; raises InferenceFailed."""
        request = self._free.get()
        try:
            done = [_run_one(request, frame[None]) for frame in np.ascontiguousarray(frames)]
        except Exception as error:
            raise InferenceFailed(f"{self._label} failed on a batch of {len(frames)} frames") from error
        finally:
            self._free.put(request)
        return done[0] if len(done) == 1 else np.concatenate(done)


def _run_one(request: "openvino.InferRequest", frame: U8) -> U8:
    """The frame's memory is read in place, and the answer is a copy: the next run overwrites the original."""
    return np.asarray(request.infer([frame], share_inputs=True)[0], np.uint8)


def is_installed() -> bool:
    """Whether OpenVINO can be imported, without importing it."""
    return find_spec("openvino") is not None


@cache
def import_openvino() -> ModuleType:
    """The package `openvino`, which must be imported through here alone.

    Its own `__init__` reports every import to its makers over the internet, unasked. That is done by the package
    `openvino_telemetry`; when it can't be imported a stub takes its place, and nothing is sent.
    """
    if "openvino_telemetry" not in sys.modules:
        sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]  # makes `import` raise ImportError
    return import_module("openvino")


@cache
def native_precisions() -> frozenset[Precision]:
    """Of `bf16` and `fp16`, those that this CPU computes in; elsewhere OpenVINO would convert back and forth."""
    openvino = import_openvino()
    there = openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    return frozenset(precision for precision, capability in _CAPABILITIES.items() if capability in there)


def _require(provider: str, precision: Precision) -> None:
    if not is_installed():
        raise ProviderUnavailable(
            "backend openvino was asked for and is not installed: pip install openvino (ENDOMASK_BACKEND)"
        )
    if provider != "cpu":
        raise ProviderUnavailable(f"backend openvino runs on the CPU here, not on {provider} (ENDOMASK_PROVIDER)")
    if precision == "bf16" and precision not in native_precisions():
        raise ProviderUnavailable("this CPU does not compute in bf16, the precision asked for (ENDOMASK_PRECISION)")


def _compile(
    package: Package, precision: Precision, threads: int, lanes: int, cache_dir: Path | None
) -> "list[openvino.InferRequest]":
    """A request for each lane."""
    core = import_openvino().Core()
    path = package.model_path(file_precision(precision))
    graph = _read(core, path, package.label)
    _check(graph, package)
    graph.reshape([1, *list(graph.inputs[0].partial_shape)[1:]])
    try:
        compiled = core.compile_model(graph, "CPU", _options(precision, threads, lanes) | _cache(cache_dir))
        return [compiled.create_infer_request() for _ in range(lanes)]
    except RuntimeError as error:
        raise PackageError(f"{package.label}: openvino can't compile {path.name}: {error}") from error


def _read(core: "openvino.Core", path: Path, label: str) -> "openvino.Model":
    try:
        return core.read_model(path)
    except RuntimeError as error:
        raise PackageError(f"{label}: openvino can't load {path.name}: {error}") from error


def _options(precision: Precision, threads: int, lanes: int) -> dict[str, Any]:
    """Each stream on exactly `threads` threads, which the system may move: other work shares the cores."""
    native = precision not in {"bf16", "fp16"} or precision in native_precisions()
    return {
        "PERFORMANCE_HINT": "LATENCY",
        "NUM_STREAMS": lanes,
        "INFERENCE_NUM_THREADS": threads * lanes,
        "ENABLE_CPU_PINNING": False,
        "ENABLE_HYPER_THREADING": True,
        "INFERENCE_PRECISION_HINT": _HINTS[precision] if native else "f32",
    }


def _cache(cache_dir: Path | None) -> dict[str, Any]:
    """The folder of compiled models, which the runtime finds again by their checksum and options."""
    folder = compiled_folder(cache_dir, "openvino")
    return {} if folder is None else {"CACHE_DIR": str(folder)}


def _check(graph: "openvino.Model", package: Package) -> None:
    found = graph.get_rt_info(_CONTRACT).astype(str) if graph.has_rt_info(_CONTRACT) else None
    check_contract(package, [_port(port) for port in graph.inputs], [_port(port) for port in graph.outputs], found)


def _port(port: Any) -> Port:
    kinds = {"u8": "uint8", "f32": "float", "f16": "float16", "i8": "int8", "i64": "int64"}
    kind = port.element_type.get_type_name()
    shape = [size.get_length() if size.is_static else -1 for size in port.partial_shape]
    return port.get_any_name(), kinds.get(kind, kind), shape[1:]
