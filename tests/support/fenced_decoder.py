"""A decoder whose hardware is played by /dev/zero and FFmpeg's software, fenced in as a GPU's. Its first argument says
what is wrong with it, or `works`.

python -P -m tests.support.fenced_decoder works ...
"""

import ctypes
import errno
import os
import resource
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NoReturn

import av
import numpy as np
import pytest
from av.codec.hwaccel import HWAccel

from service.errors import DecoderUnavailable
from service.video.decoding import landlock
from service.video.decoding.__main__ import Decoder, main
from service.video.decoding.index import VideoIndex
from tests.support.decoding import lay
from tests.support.hostile_decoder import HostileDecoder, refusal

DEVICE = Path("/dev/zero")
FORMATS = {"yuv420p": "nv12", "yuvj420p": "nv12", "yuv420p10le": "p010le"}
"""What software decodes -> the same values as hardware lays them in memory."""
FAILURES = {"fails_midway": av.error.ExternalError(0, "the device is gone"), "runs_out_of_memory": MemoryError()}
GOOD_FRAMES = 3
"""Of hardware that fails then."""


def command(trick: str, *more: str) -> tuple[str, ...]:
    return (sys.executable, "-P", "-m", "tests.support.fenced_decoder", trick, *more)


def _lacking() -> str:
    try:
        landlock.require()
    except OSError as error:
        return str(error)
    return "" if os.uname().machine == "x86_64" else "system calls are filtered on x86_64 only"


needs_fence = pytest.mark.skipif(bool(_lacking()), reason=f"no decoder can be fenced in here: {_lacking()}")


class StandIn:
    """In for a GPU."""

    def load(self) -> dict[str, int]:
        if TRICK == "starts_a_thread_too_early":
            threading.Thread(target=threading.Event().wait, daemon=True).start()
        if TRICK == "can_not_be_fenced":
            for _ in range(16):  # as many as the kernel puts on one another
                landlock.restrict({})
        return {str(DEVICE): landlock.READ | landlock.WRITE, "/proc/self": landlock.READ}

    def start(self) -> HWAccel:
        touch()
        if TRICK == "does_not_start":
            raise DecoderUnavailable("the stand-in has no memory left")
        return HWAccel("cuda")


def touch() -> None:
    """Open the device, as a driver does again and again."""
    with DEVICE.open("r+b", buffering=0) as device:
        assert device.read(1) == b"\0"


class FencedDecoder(HostileDecoder):
    def answer(self, request: dict[str, Any]) -> bytes:
        return super().answer(request) if hasattr(self, TRICK) else Decoder.answer(self, request)

    def decode(
        self, request: dict[str, Any], index: VideoIndex, bounds: tuple[int, int], hwaccel: HWAccel | None = None
    ) -> Iterator[tuple[int, av.VideoFrame, bool]]:
        if TRICK == "has_no_gpu":
            yield from super().decode(request, index, bounds, hwaccel)
            return
        for count, (number, frame, _) in enumerate(super().decode(request, index, bounds)):
            if hwaccel is None or frame.format.name not in FORMATS:
                yield number, frame, False
                continue
            touch()
            if TRICK in FAILURES and count == GOOD_FRAMES:
                raise FAILURES[TRICK]
            laid = lay(frame, FORMATS[frame.format.name])
            if TRICK == "decodes_wrong":
                np.frombuffer(memoryview(laid.planes[1]), np.uint8)[0] ^= 1
            yield number, laid, TRICK != "falls_back"

    def segfault(self) -> NoReturn:
        ctypes.string_at(0)
        raise AssertionError

    def reaches_out(self) -> bytes:
        victim, parent = Path(sys.argv[2]), os.getppid()
        attempts: dict[str, Callable[[], object]] = {
            "device": touch,
            "other device": Path("/dev/full").open,
            "read": victim.open,
            "append": lambda: victim.open("ab"),
            "make": victim.with_name("new").touch,
            "list": lambda: list(victim.parent.iterdir()),
            "list in a thread": lambda: _in_a_thread(lambda: list(victim.parent.iterdir())),
            "remove": victim.unlink,
            "rename": lambda: victim.rename(victim.with_name("moved")),
            "write": lambda: os.write(os.memfd_create("memory"), b"x"),
            "truncate": lambda: os.truncate(victim, 0),
            "chmod": lambda: victim.chmod(0o777),
            "socket": socket.socket,
            "unix socket": lambda: socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM),
            "socketpair": socket.socketpair,
            "run": lambda: subprocess.run(["/bin/true"], check=True),
            "exec": lambda: os.execv("/bin/true", ["true"]),
            "fork": lambda: os.fork() or os._exit(0),
            "signal": lambda: os.kill(parent, 0),
            "limit": lambda: resource.prlimit(parent, resource.RLIMIT_CORE),
            "environment": Path(f"/proc/{parent}/environ").open,
            "io_uring": lambda: _system_call(425, errno.EPERM),
            "newer call": lambda: _system_call(463, errno.ENOSYS),
            "x32 call": lambda: _system_call(0x40000000 + 39, errno.ENOSYS),
            "typing": lambda: _system_call(16, errno.EPERM, 2, 0x5412, b"x"),
        }
        done = [name for name, attempt in attempts.items() if _succeeds(attempt)]
        return refusal(f"did {done}, knows {sorted(os.environ)}")


def _succeeds(attempt: Callable[[], object]) -> bool:
    try:
        attempt()
    except OSError:
        return False
    return True


def _in_a_thread(attempt: Callable[[], object]) -> None:
    with ThreadPoolExecutor(1) as threads:
        threads.submit(attempt).result()


def _system_call(number: int, refused_with: int, *arguments: object) -> None:
    """Raises OSError where it is refused as the filter does it, and not as the kernel without one."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(ctypes.c_long(number), *arguments) == -1 and ctypes.get_errno() == refused_with:
        raise OSError(refused_with, "refused")


TRICK = sys.argv[1] if __name__ == "__main__" else ""

if __name__ == "__main__":
    main(sys.argv[-1], FencedDecoder, StandIn)
