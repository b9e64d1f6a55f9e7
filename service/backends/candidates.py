"""What a package could run on here, given what the settings ask for."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field

from service.backends import Backend, Precision
from service.backends.cores import available_cores
from service.backends.onnxruntime import OnnxRuntimeBackend
from service.backends.openvino import OpenVinoBackend, is_installed, native_precisions
from service.backends.providers import has_tensorrt
from service.errors import PackageError, ProviderUnavailable
from service.manifest.package import Package
from service.settings import Settings


class Candidate(BaseModel):
    """A file of the package on a backend: precision, provider and threads say which and how."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)

    backend: str
    """`onnxruntime` or `openvino`."""
    provider: str
    """`tensorrt`, `cuda` or `cpu`."""
    precision: Precision
    """`bf16` is the FP32 file computed in bfloat16."""
    threads: int = Field(ge=1)
    """CPU threads of one run."""
    lanes: int = Field(default=1, ge=1)
    """Runs that go on beside each other on a CPU, each on threads of its own; a GPU is a lane by itself."""

    def __str__(self) -> str:
        threads = f" with {self.threads} thread{'s' * (self.threads > 1)}" if self.provider == "cpu" else ""
        lanes = f" in each of {self.lanes} lanes" if self.lanes > 1 else ""
        return f"{self.backend} {self.provider} {self.precision}{threads}{lanes}"


@dataclass(frozen=True, slots=True)
class Opening:
    """What every candidate is opened with: the largest batch, and the folder of what runtimes compiled."""

    max_batch: int
    cache_dir: Path | None = None

    @classmethod
    def of(cls, settings: Settings) -> Self:
        return cls(settings.max_batch_frames, settings.data_dir / "compiled")


OpenCandidate = Callable[[Package, Candidate, Opening], Backend]
"""Opens a candidate; raises StartError."""


def open_candidate(package: Package, candidate: Candidate, opening: Opening) -> Backend:
    kind = OpenVinoBackend if candidate.backend == "openvino" else OnnxRuntimeBackend
    return kind(
        package,
        provider=candidate.provider,
        precision=candidate.precision,
        threads=candidate.threads,
        lanes=candidate.lanes,
        max_batch=opening.max_batch,
        cache_dir=opening.cache_dir,
    )


def candidates_for(package: Package, settings: Settings, provider: str, lanes: int = 1) -> list[Candidate]:
    """Every pair of backend and precision that the settings allow on `provider`, FP32 first, with so many
    lanes on a CPU. Where the provider was left open and CUDA is there, TensorRT is tried too if its library is there.

    Raises ProviderUnavailable when what was asked for by name is not there, PackageError when the package has no file
    in the precision asked for.
    """
    threads = settings.threads or available_cores()
    found = [
        Candidate(
            backend=backend, provider=place, precision=precision, threads=threads, lanes=lanes if place == "cpu" else 1
        )
        for place in _places(settings, provider)
        for backend in _backends(settings, place)
        for precision in _precisions(package, settings, backend, place)
    ]
    if not found:
        raise ProviderUnavailable(
            f"nothing here computes in {settings.precision} on {provider} with backend {settings.backend} "
            "(ENDOMASK_PRECISION, ENDOMASK_PROVIDER, ENDOMASK_BACKEND)"
        )
    return found


def allows(settings: Settings, candidate: Candidate) -> bool:
    """Whether a candidate is what the settings ask for."""
    asked = (settings.backend, settings.provider, settings.precision, settings.threads or "auto")
    given = (candidate.backend, candidate.provider, candidate.precision, candidate.threads)
    return all(wish in ("auto", value) for wish, value in zip(asked, given, strict=True))


def _places(settings: Settings, provider: str) -> list[str]:
    return ["cuda", "tensorrt"] if (settings.provider, provider) == ("auto", "cuda") and has_tensorrt() else [provider]


def _backends(settings: Settings, provider: str) -> list[str]:
    if settings.backend == "openvino":
        if not is_installed():
            raise ProviderUnavailable(
                "backend openvino was asked for and is not installed: pip install openvino (ENDOMASK_BACKEND)"
            )
        if provider != "cpu":
            raise ProviderUnavailable(f"backend openvino runs on the CPU here, not on {provider} (ENDOMASK_PROVIDER)")
    if settings.backend != "auto":
        return [settings.backend]
    return ["onnxruntime", "openvino"] if provider == "cpu" and is_installed() else ["onnxruntime"]


def _precisions(package: Package, settings: Settings, backend: str, provider: str) -> list[Precision]:
    """`auto` leaves out what can't be faster or does not fit: FP16 that the CPU would compute in FP32, INT8 on CUDA,
    which computes it in float, and on TensorRT, whose explicit quantisation takes signed activations with a zero point
    of 0 alone, while our INT8 files have unsigned ones."""
    files = package.manifest.files
    if settings.precision not in ("auto", "bf16", *files):
        raise PackageError(
            f"{package.label} has no {settings.precision} file; it has {', '.join(sorted(files))} (ENDOMASK_PRECISION)"
        )
    native = native_precisions() if backend == "openvino" else frozenset[Precision]()
    if settings.precision == "bf16":
        return ["bf16"] if "bf16" in native else []
    if settings.precision != "auto":
        return [settings.precision]
    if provider != "cpu":
        return ["fp32", "fp16"] if "fp16" in files else ["fp32"]
    found: list[Precision] = ["fp32"]
    found += [precision for precision in ("bf16", "fp16") if precision in native and precision in ("bf16", *files)]
    found += ["int8"] if "int8" in files else []
    return found
