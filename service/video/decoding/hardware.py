"""A GPU's decoder in the decoder process: what its driver may touch, and a look whether it decodes."""

import ctypes
from pathlib import Path
from typing import Protocol

import av
from av.codec.hwaccel import HWAccel

from service.errors import DecoderUnavailable
from service.video.decoding.confinement import fence_in
from service.video.decoding.landlock import READ, WRITE
from service.video.decoding.sample_clip import make_clip

EXACT_CODECS = frozenset({"h264", "hevc", "vp9"})
"""Codecs that define every bit of a picture, so that hardware's are software's. MPEG-1, -2 and -4 and JPEG leave the
rounding to the decoder; AV1 is left to dav1d, which PyAV takes."""
_LIBRARIES = ("libcuda.so.1", "libnvcuvid.so.1")
_KERNEL = ("driver/nvidia", "driver/nvidia-uvm", "cpuinfo", "devices", "meminfo", "modules", "self", "version")
_READ_BY_THE_DRIVER = ("/etc/ld.so.cache", "/sys", *(f"/proc/{name}" for name in _KERNEL))
_THREAD_NAMES = "/proc/self/task"
"""The driver does not start where it can't name its threads, which is done by writing here."""


class Accelerator(Protocol):
    """Hardware that decodes."""

    def load(self) -> dict[str, int]:
        """Load the driver's libraries, and run nothing of it: the paths that it needs then, and Landlock's rights to
        them. Raises DecoderUnavailable."""
        ...

    def start(self) -> HWAccel:
        """Start the driver, decode a clip of our own, and keep the device open. Raises DecoderUnavailable."""
        ...


class Cuda:
    """NVIDIA's NVDEC."""

    def __init__(self) -> None:
        # The primary context is shared by all decoders of a process, and lives as long as the first does.
        self._hwaccel = HWAccel("cuda", options={"primary_ctx": "1"}, allow_software_fallback=True)
        self._opened: HWAccel | None = None
        self._clip = make_clip()

    def load(self) -> dict[str, int]:
        if not (nodes := device_nodes()):
            raise DecoderUnavailable("no NVIDIA device is here")
        try:
            for name in _LIBRARIES:
                ctypes.CDLL(name)
        except OSError as error:
            raise DecoderUnavailable(f"NVIDIA's video driver can't be loaded ({error})") from error
        rights = dict.fromkeys(nodes, READ | WRITE) | dict.fromkeys((*_READ_BY_THE_DRIVER, *_folders()), READ)
        return rights | {_THREAD_NAMES: READ | WRITE}

    def start(self) -> HWAccel:
        try:
            self._opened = self._hwaccel.create(av.Codec("h264", "r"))
            with av.open(self._clip, "r", hwaccel=self._hwaccel) as container:
                for _ in container.decode(video=0):
                    pass
        except (av.error.FFmpegError, NotImplementedError) as error:
            raise DecoderUnavailable(f"the GPU decodes nothing in a confined process ({error})") from error
        return self._hwaccel


def device_nodes() -> list[str]:
    """NVIDIA's device nodes on this machine."""
    return sorted(str(path) for path in Path("/dev").glob("nvidia*"))


def open_fenced(accelerator: Accelerator) -> HWAccel:
    """Fence this process in, then start the hardware; raises DecoderUnavailable.

    Landlock binds a thread and those that it starts, so the fence is there before the driver starts threads of its own.
    """
    allowed = accelerator.load()
    try:
        fence_in(allowed)
    except OSError as error:
        raise DecoderUnavailable(f"it can't be confined here: {error.strerror}") from error
    return accelerator.start()


def _folders() -> set[str]:
    """Where the loaded driver's libraries lie: it loads more of them later."""
    mapped = (line.split(maxsplit=5)[-1].strip() for line in Path("/proc/self/maps").read_text().splitlines())
    return {str(Path(path).parent) for path in mapped if Path(path).name.startswith(("libcuda.so", "libnvcuvid.so"))}
