"""A decoder that a hostile file has taken over: confined as the real one, it does what its first argument says.

python -P -m tests.support.hostile_decoder segfault ...
"""

import ctypes
import errno
import math
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NoReturn

import pytest

from service.video.decoding import wire
from service.video.decoding.__main__ import Decoder, main
from service.video.decoding.confinement import fence_lacking

ROOT = Path(__file__).resolve().parents[2]


DEVICE = Path("/dev/zero")
"""In for a GPU's, which another decoder may open."""

needs_fence = pytest.mark.skipif(bool(fence_lacking()), reason=f"no decoder can be fenced in here: {fence_lacking()}")


def command(trick: str, *more: str) -> tuple[str, ...]:
    return (sys.executable, "-P", "-m", "tests.support.hostile_decoder", trick, *more)


class HostileDecoder(Decoder):
    def answer(self, request: dict[str, Any]) -> bytes:
        found: bytes = getattr(self, sys.argv[1])()
        return found

    def segfault(self) -> NoReturn:
        ctypes.string_at(0)
        raise AssertionError

    def killed(self) -> NoReturn:
        """By the kernel, as it would where memory lacks: no signal can be sent from here."""
        signal.setitimer(signal.ITIMER_PROF, 0)
        end = math.ceil(time.process_time())
        resource.setrlimit(resource.RLIMIT_CPU, (end, end))
        self.stands_still()

    def exits(self) -> NoReturn:
        os._exit(3)

    def stands_still(self) -> NoReturn:
        while True:
            pass

    def never_ends(self) -> NoReturn:
        while True:
            self.on_progress()

    def sleeps(self) -> NoReturn:
        while True:
            time.sleep(60)

    def answers_and_sleeps(self) -> NoReturn:
        os.write(1, b"\x00\x00\x00\x01" + wire.DONE)
        self.sleeps()

    def stops_in_a_word(self) -> NoReturn:
        os.write(1, b"\x00\x00\x00\x10F")
        self.sleeps()

    def hoards(self) -> bytes:
        hoard = []
        try:
            while True:
                hoard.append(bytes(1 << 20))
        except MemoryError:
            count = len(hoard)
            hoard.clear()
            return _refusal(f"{count} MB")

    def reaches_out(self) -> bytes:
        """With no more than limits."""
        return _attempt(
            {
                "open": (ROOT / "pyproject.toml").open,
                "socket": socket.socket,
                "pipe": os.pipe,
                "run": lambda: subprocess.run(["/bin/true"], check=True),
            }
        )

    def reaches_far_out(self) -> bytes:
        """The second argument is a file to change. A process that is fenced in comes by none of it, but its device."""
        victim, parent = Path(sys.argv[2]), os.getppid()
        return _attempt(
            {
                "device": touch,
                "other device": Path("/dev/full").open,
                "read": victim.open,
                "append": lambda: victim.open("ab"),
                "make": victim.with_name("new").touch,
                "make a folder": victim.with_name("folder").mkdir,
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
        )

    def lies_about_the_frame(self) -> bytes:
        return wire.FrameHeader(10**6, 1, 1, 1, 1).pack()

    def talks_nonsense(self) -> bytes:
        return wire.FRAME + b"nonsense"

    def talks_endlessly(self) -> bytes:
        os.write(1, b"\xff\xff\xff\xff" + b"\x7f" * 8)
        return wire.DONE


def touch() -> None:
    """Open the device, as a driver does again and again."""
    with DEVICE.open("r+b", buffering=0) as device:
        assert device.read(1) == b"\0"


def _attempt(attempts: dict[str, Callable[[], object]]) -> bytes:
    """A refusal that tells which of them succeeded."""
    done = [name for name, attempt in attempts.items() if _succeeds(attempt)]
    return _refusal(f"did {done}, knows {sorted(os.environ)}")


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


def _refusal(detail: str) -> bytes:
    return wire.REFUSED + wire.pack_json({"code": "undecodable_video", "detail": detail, "limit": False})


if __name__ == "__main__":
    main(sys.argv[-1], HostileDecoder)
