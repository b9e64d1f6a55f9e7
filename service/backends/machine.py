"""What decides which backend is fastest here: the processor, what of it may be used, and the runtimes' versions."""

import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from service.backends.cores import available_cores
from service.backends.providers import cuda_device_names

CPUINFO = Path("/proc/cpuinfo")
_FIELDS = ("vendor_id", "cpu family", "model", "model name", "stepping", "flags", "Features", "CPU part")
_RUNTIMES = ("onnxruntime", "onnxruntime-gpu", "openvino", "tensorrt")


def machine_identity(cpuinfo: Path = CPUINFO) -> dict[str, str]:
    """Facts whose change makes an earlier measurement worthless."""
    facts = {"platform": f"{platform.system()} {platform.machine()}", "cores": str(available_cores())}
    gpus = cuda_device_names()
    facts |= {"gpus": str(len(gpus))} | {f"gpu {index}": name for index, name in enumerate(gpus)}
    facts |= {name: _version(name) for name in _RUNTIMES}
    return facts | _processor(cpuinfo)


def _processor(cpuinfo: Path) -> dict[str, str]:
    """Model and instruction sets of the first core, as Linux tells them; a virtual machine may hide some."""
    try:
        first = cpuinfo.read_text().split("\n\n", 1)[0]
    except OSError:
        return {"processor": platform.processor()}
    pairs = (line.partition(":") for line in first.splitlines())
    return {key.strip(): value.strip() for key, _, value in pairs if key.strip() in _FIELDS}


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "none"
