"""ONNX Runtime's providers: which are here, and how each is opened.

The CUDA and TensorRT options follow onnxruntime.ai/docs/execution-providers (CUDA-, TensorRT-ExecutionProvider).
"""

import ctypes
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import onnxruntime as ort

from service.backends import Precision
from service.errors import ProviderUnavailable
from service.manifest.schema import INPUT_NAME

_NAMES = {"tensorrt": "TensorrtExecutionProvider", "cuda": "CUDAExecutionProvider", "cpu": "CPUExecutionProvider"}
_TENSORRT_LIBRARY = "libnvinfer.so.10"

Listed = list[tuple[str, dict[str, Any]]]
"""Providers and their options, as `onnxruntime.InferenceSession` takes them."""


@dataclass(frozen=True, slots=True)
class Device:
    """Where a session runs: a provider, and the number of its GPU."""

    provider: str
    index: int = 0

    @property
    def memory(self) -> str:
        """ONNX Runtime's name for its memory."""
        return "cpu" if self.provider == "cpu" else "cuda"


@dataclass(frozen=True, slots=True)
class Engine:
    """What TensorRT builds an engine for: frames uint8 [1 to max_batch, height, width, 3] in a precision; `folder`
    keeps engine and timings, and belongs to one model file, since the engine's own file name does not tell them apart
    (onnxruntime issue 32254)."""

    height: int
    width: int
    max_batch: int
    precision: Precision
    folder: Path | None

    def options(self, index: int) -> dict[str, Any]:
        shape = f"{self.height}x{self.width}x3"
        options = {
            "device_id": str(index),
            "trt_profile_min_shapes": f"{INPUT_NAME}:1x{shape}",
            "trt_profile_opt_shapes": f"{INPUT_NAME}:{self.max_batch}x{shape}",
            "trt_profile_max_shapes": f"{INPUT_NAME}:{self.max_batch}x{shape}",
            "trt_fp16_enable": str(int(self.precision == "fp16")),
            "trt_int8_enable": str(int(self.precision == "int8")),
        }
        if self.folder is not None:
            kept = {"engine": str(self.folder), "timing": str(self.folder.parent)}
            for what, folder in kept.items():
                options |= {f"trt_{what}_cache_enable": "1", f"trt_{what}_cache_path": folder}
        return options


def provider_name(provider: str) -> str:
    """ONNX Runtime's name of ours."""
    return _NAMES[provider]


def attempts_for(device: Device, engine: Engine) -> list[Listed]:
    """Providers to open a session with, best first. TensorRT leaves to CUDA what it can't do.

    On CUDA a graph is captured for each batch size, where nothing of the model is left to the CPU; else a session
    with graphs does not open, and one without is the second attempt. TensorRT launches an engine at once as it is.
    """
    if device.provider == "cpu":
        return [[(_NAMES["cpu"], {})]]
    plain, captured = ((_NAMES["cuda"], {"device_id": str(device.index), "enable_cuda_graph": flag}) for flag in "01")
    if device.provider == "tensorrt":
        return [[(_NAMES["tensorrt"], engine.options(device.index)), plain]]
    return [[captured], [plain]]


def devices_of(provider: str) -> list[Device]:
    """The CPU, or every GPU; raises ProviderUnavailable when the provider is not there."""
    gpus = cuda_device_count()
    if _NAMES[provider] not in ort.get_available_providers() or (provider != "cpu" and not gpus):
        raise ProviderUnavailable(
            f"provider {provider} was asked for and is not there: this onnxruntime has "
            f"{', '.join(ort.get_available_providers())} and {gpus} GPUs are visible (ENDOMASK_PROVIDER)"
        )
    if provider == "tensorrt" and not has_tensorrt():
        raise ProviderUnavailable(
            f"provider tensorrt was asked for and {_TENSORRT_LIBRARY} is not there: pip install 'tensorrt-cu13<11' "
            "(ENDOMASK_PROVIDER)"
        )
    return [Device(provider)] if provider == "cpu" else [Device(provider, index) for index in range(gpus)]


def load_libraries(provider: str) -> None:
    """Have the CUDA libraries of pip's packages found; the system's are found anyway."""
    if provider != "cpu" and hasattr(ort, "preload_dlls"):
        ort.preload_dlls()


def has_tensorrt() -> bool:
    """Whether TensorRT's library loads, from the system or from pip's `tensorrt`."""
    found = find_spec("tensorrt_libs")
    folders = found.submodule_search_locations if found is not None else None
    for path in [*(str(Path(folder) / _TENSORRT_LIBRARY) for folder in folders or ()), _TENSORRT_LIBRARY]:
        try:
            ctypes.CDLL(path, ctypes.RTLD_GLOBAL)
        except OSError:
            continue
        return True
    return False


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


def cuda_device_names() -> list[str]:
    """What the NVIDIA driver calls each GPU that it shows to this process."""
    names = []
    for index in range(cuda_device_count()):
        driver, device, name = ctypes.CDLL("libcuda.so.1"), ctypes.c_int(0), ctypes.create_string_buffer(256)
        found = driver.cuDeviceGet(ctypes.byref(device), index) == 0
        found = found and driver.cuDeviceGetName(name, len(name), device) == 0
        names.append(name.value.decode(errors="replace") if found else "unknown")
    return names


def choose_provider(asked: str) -> str:
    """`auto`: `cuda` when ONNX Runtime and the machine have it, else `cpu`; a named one is returned as it is."""
    if asked != "auto":
        return asked
    return "cuda" if _NAMES["cuda"] in ort.get_available_providers() and cuda_device_count() else "cpu"
