"""The backends that this machine can measure a file on, as the service would run it."""

import platform
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import onnxruntime

from service.backends import Backend, Precision
from service.backends.cores import available_cores
from service.backends.onnxruntime import OnnxRuntimeBackend
from service.backends.openvino import OpenVinoBackend, is_installed, native_precisions
from service.backends.providers import choose_provider
from service.manifest.package import Package

Opener = Callable[[Package, Precision], Backend]

_INSTRUCTION_SETS = ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "avx512_bf16", "amx_int8", "asimddp", "i8mm")


def measurable_backends() -> dict[str, Opener]:
    """By the name that `Parity.backend` has: ONNX Runtime always, OpenVINO and CUDA where they are there."""
    found: dict[str, Opener] = {"onnxruntime-cpu": _onnxruntime("cpu")}
    if is_installed():
        found["openvino-cpu"] = _openvino
    if choose_provider("auto") == "cuda":
        found["onnxruntime-cuda"] = _onnxruntime("cuda")
    return found


def computes_bf16() -> bool:
    """Whether OpenVINO computes the FP32 file in bfloat16 here, so that the service may."""
    return is_installed() and "bf16" in native_precisions()


def machine_facts(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """Processor, cores that may be used, the instruction sets that decide about INT8, and the runtimes' versions."""
    lines = cpuinfo.read_text().splitlines() if cpuinfo.is_file() else []
    facts = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    flags = (facts.get("flags") or facts.get("Features") or "").split()
    name = facts.get("model name") or platform.processor() or platform.machine()
    sets = " ".join(flag for flag in _INSTRUCTION_SETS if flag in flags)
    runtimes = f"onnxruntime {onnxruntime.__version__}" + (
        f", openvino {version('openvino')}" if is_installed() else ""
    )
    return "; ".join(filter(None, [name, f"{available_cores()} cores", sets, runtimes]))


def _onnxruntime(provider: str) -> Opener:
    def open_it(package: Package, precision: Precision) -> Backend:
        return OnnxRuntimeBackend(package, provider=provider, precision=precision, threads=available_cores())

    return open_it


def _openvino(package: Package, precision: Precision) -> Backend:
    return OpenVinoBackend(package, precision=precision, threads=available_cores())
