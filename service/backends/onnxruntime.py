"""ONNX Runtime on CUDA or the CPU. It would fall back to the CPU silently; this module never does."""

import ctypes
from pathlib import Path

import numpy as np
import onnxruntime as ort

from service.backends import Precision, file_precision
from service.backends.contract import Port, check_contract
from service.errors import InferenceFailed, PackageError, ProviderUnavailable
from service.imaging.geometry import U8
from service.manifest.package import Package
from service.manifest.schema import INPUT_NAME, OUTPUT_NAME

_PROVIDERS = {"cuda": "CUDAExecutionProvider", "cpu": "CPUExecutionProvider"}


class OnnxRuntimeBackend:
    """One ONNX file of a package in one session.

    Raises ProviderUnavailable when the provider asked for does not run here, PackageError when the file does not keep
    the contract: `frames` uint8 [N, h, w, 3] in, `probabilities` uint8 [N, C, h, w] out.
    """

    name = "onnxruntime"

    def __init__(
        self, package: Package, *, provider: str, precision: Precision, threads: int, max_batch: int = 1
    ) -> None:
        if precision == "bf16":
            raise ProviderUnavailable("backend onnxruntime does not compute in bf16 (ENDOMASK_PRECISION)")
        self.provider = provider
        self.precision: str = precision
        self.threads = threads
        self.max_batch = max_batch if provider == "cuda" else 1
        self._label = package.label
        self._session = _open(package.model_path(file_precision(precision)), provider, threads, package.label)
        _check(self._session, package)

    def run(self, frames: U8) -> U8:
        """RGB uint8 [N, h, w, 3] -> probabilities uint8 [N, C, h, w]; raises InferenceFailed."""
        try:
            (probabilities,) = self._session.run([OUTPUT_NAME], {INPUT_NAME: np.ascontiguousarray(frames)})
        except Exception as error:
            raise InferenceFailed(f"{self._label} failed on a batch of {len(frames)} frames") from error
        return np.asarray(probabilities, np.uint8)


def cuda_device_count() -> int:
    """GPUs that the NVIDIA driver shows to this process; 0 without a driver."""
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return 0
    count = ctypes.c_int(0)
    if driver.cuInit(0) != 0 or driver.cuDeviceGetCount(ctypes.byref(count)) != 0:
        return 0
    return count.value


def choose_provider(asked: str) -> str:
    """`auto` -> `cuda` when this build and this machine have it, else `cpu`; a named one is returned as it is."""
    if asked != "auto":
        return asked
    return "cuda" if _PROVIDERS["cuda"] in ort.get_available_providers() and cuda_device_count() else "cpu"


def _open(path: Path, provider: str, threads: int, label: str) -> ort.InferenceSession:
    wanted = _PROVIDERS[provider]
    if wanted not in ort.get_available_providers() or (provider == "cuda" and not cuda_device_count()):
        raise ProviderUnavailable(
            f"provider {provider} was asked for and is not there: this onnxruntime has "
            f"{', '.join(ort.get_available_providers())} and {cuda_device_count()} GPUs are visible (ENDOMASK_PROVIDER)"
        )
    if provider == "cuda" and hasattr(ort, "preload_dlls"):
        ort.preload_dlls()
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # Its threads would busy-wait between runs and take the cores from whoever works there then.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        session = ort.InferenceSession(path, options, providers=[wanted])
    except Exception as error:
        raise PackageError(f"{label}: onnxruntime can't load {path.name}: {error}") from error
    if (active := session.get_providers()[0]) != wanted:
        raise ProviderUnavailable(f"provider {provider} was asked for, onnxruntime fell back to {active}")
    return session


def _check(session: ort.InferenceSession, package: Package) -> None:
    found = session.get_modelmeta().custom_metadata_map.get("contract_sha256")
    inputs, outputs = session.get_inputs(), session.get_outputs()
    check_contract(package, [_port(node) for node in inputs], [_port(node) for node in outputs], found)


def _port(node: ort.NodeArg) -> Port:
    return node.name, node.type.removeprefix("tensor(").removesuffix(")"), node.shape[1:]
