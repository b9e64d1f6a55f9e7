"""Page-locked host memory, which a GPU reads without a detour through the driver's own buffer."""

import ctypes
import weakref
from pathlib import Path
from typing import Any

import numpy as np

from service.imaging.geometry import U8

MAPS = Path("/proc/self/maps")
_PORTABLE = 1
"""cudaHostRegisterPortable: locked for every GPU of the process."""


def staging(shape: tuple[int, ...], runtime: Any | None) -> U8:
    """Zeros uint8, page-locked by the CUDA runtime for as long as they live; `runtime` is None on the CPU.

    A runtime that refuses leaves ordinary memory: copies are slower from there, and right.
    """
    array = np.zeros(shape, np.uint8)
    if runtime is not None:
        address = ctypes.c_void_p(array.ctypes.data)
        if runtime.cudaHostRegister(address, ctypes.c_size_t(array.nbytes), _PORTABLE) == 0:
            weakref.finalize(array, runtime.cudaHostUnregister, address).atexit = False
    return array


def cuda_runtime(maps: Path = MAPS) -> Any | None:
    """The CUDA runtime that ONNX Runtime has loaded into this process, None when there is none."""
    for line in maps.read_text().splitlines():
        path = line.rpartition(" ")[2]
        if Path(path).name.startswith("libcudart.so"):
            return ctypes.CDLL(path)
    return None
