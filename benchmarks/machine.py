"""What the numbers were measured on, and what else the machine was doing."""

import os
import platform
import re
import subprocess
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from service.backends.cores import available_cores
from service.backends.machine import machine_identity

ROOT = Path(__file__).resolve().parents[1]
FLAGS = {"avx2", "avx512f", "avx512_vnni", "avx_vnni", "avx512_bf16", "amx_tile", "amx_int8", "amx_bf16", "i8mm"}
"""Instruction sets that decide how fast a net runs."""
PACKAGES = (
    *("onnxruntime", "onnxruntime-gpu", "openvino", "opencv-python-headless", "av"),
    *("simplejpeg", "fastapi", "uvicorn", "uvloop", "numpy"),
)


def facts() -> dict[str, Any]:
    """Everything about the machine and the code that a reader needs to judge the numbers."""
    model, flags = _processor()
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "cpu": model,
        "cpu_flags": sorted(FLAGS & flags),
        "cores": available_cores(),
        "gpus": int(machine_identity()["gpus"]),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        "kernel": platform.release(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "packages": {name: found for name in PACKAGES if (found := _version(name))},
        "commit": _commit(),
        "settings": {name: value for name, value in os.environ.items() if _may_be_told(name)},
    }


def _may_be_told(name: str) -> bool:
    """Results are published: no folders of this machine, and no addresses, which may hold passwords."""
    return name.startswith("ENDOMASK_") and not name.endswith(("_DIR", "_URL"))


def slug(machine: dict[str, Any]) -> str:
    """A name for the machine, for the results' file name: `2-cores-amd-epyc`."""
    cores = machine["cores"]
    words = f"{cores} core{'s' if cores != 1 else ''} {machine['cpu']}"
    return re.sub(r"[^a-z0-9]+", "-", re.sub(r"\((r|tm)\)|@.*", "", words.lower())).strip("-")[:48].strip("-")


@dataclass(frozen=True, slots=True)
class Load:
    """How busy the machine was while the benchmark itself did nothing."""

    load_average: float
    """Of the last minute; the benchmark's own work is in it."""
    busy_share: float
    """Share of all cores that others used, 0 to 1."""
    stolen_share: float
    """Share of all cores that the hypervisor took away."""

    def as_dict(self) -> dict[str, float]:
        return asdict(self)


def load(seconds: float = 1.0) -> Load:
    """Watch the machine for a moment; zeros where there is no /proc."""
    before = cpu_ticks()
    time.sleep(seconds)
    after = cpu_ticks()
    total = sum(after) - sum(before)
    if not total:
        return Load(0.0, 0.0, 0.0)
    idle = after[3] + after[4] - before[3] - before[4]
    stolen = after[7] - before[7]
    busy = total - idle - stolen
    return Load(round(os.getloadavg()[0], 2), round(busy / total, 3), round(stolen / total, 3))


@dataclass(frozen=True, slots=True)
class CpuSeconds:
    """Of all cores together."""

    busy: float
    stolen: float

    def __sub__(self, earlier: "CpuSeconds") -> "CpuSeconds":
        return CpuSeconds(self.busy - earlier.busy, self.stolen - earlier.stolen)


def cpu_seconds() -> CpuSeconds:
    """Since the machine started; zeros where there is no /proc."""
    user, nice, system, _idle, _iowait, irq, softirq, steal = cpu_ticks()
    ticks = os.sysconf("SC_CLK_TCK")
    return CpuSeconds((user + nice + system + irq + softirq) / ticks, steal / ticks)


def cpu_ticks(stat: Path = Path("/proc/stat")) -> list[int]:
    """user, nice, system, idle, iowait, irq, softirq, steal of all cores since the start, in clock ticks."""
    try:
        first = stat.read_text().split("\n", 1)[0]
    except OSError:
        return [0] * 8
    return [int(value) for value in first.split()[1:9]]


def _processor() -> tuple[str, set[str]]:
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.processor() or platform.machine(), set()
    pairs = (line.partition(":") for line in text.split("\n\n", 1)[0].splitlines())
    fields = {name.strip(): value.strip() for name, _, value in pairs}
    return fields.get("model name", platform.machine()), set(fields.get("flags", fields.get("Features", "")).split())


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _commit() -> dict[str, Any] | None:
    """The checkout's commit, and whether what the numbers depend on differs from it; None outside a checkout."""
    try:
        suite = ("benchmarks", ":(exclude)benchmarks/results", ":(exclude)benchmarks/.venvs")
        commit = _git("rev-parse", "--short=12", "HEAD")
        changed = _git("status", "--porcelain", "--", "service", "models", "examples", "constraints.txt", *suite)
    except (OSError, subprocess.CalledProcessError):
        return None
    return {"id": commit, "dirty": bool(changed)}


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()
