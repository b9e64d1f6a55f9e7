"""What the decoder process gives up before it looks at a file. Linux only, as the service is."""

import ctypes
import errno
import math
import os
import resource
import signal
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from service.video.decoding import landlock, seccomp
from service.video.decoding.limits import DecoderLimits

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 1, 4, 38
_MEGABYTE = 1 << 20


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this process when the thread that started it ends, however that comes."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit(1)


def confine(limits: DecoderLimits) -> None:
    """Bound memory; from here on open no file and no socket, write no file, gain no right, leave no core.

    With no descriptor left under the limit, `open` and `socket` fail alike; those that are open stay so. Calls that
    take a name or a process's number and open nothing (remove, rename, truncate, signal) are denied by the fence, where
    the kernel has one (`fence_lacking`), else left to the rights of the user.
    """
    mapped = _address_space()
    with suppress(OSError):
        fence_in({})
    free = os.dup(0)
    os.close(free)
    _bound(limits, mapped)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free, free))


def fence_lacking() -> str:
    """Why a process can't be fenced in here; empty where it can."""
    try:
        landlock.require()
        seccomp.require()
    except OSError as error:
        return error.strerror or str(error)
    return ""


def fence_in(allowed: Mapping[str, int]) -> None:
    """Open only these paths, with Landlock's rights, and touch no other file, no socket, process or program. Raises
    OSError where the kernel can't, or where a thread would stay outside."""
    if len(list(Path("/proc/self/task").iterdir())) > 1:
        raise OSError(errno.EBUSY, "a library started a thread of its own before the fence was there")
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    landlock.restrict(allowed)
    seccomp.forbid()


def confine_beside_device(limits: DecoderLimits) -> None:
    """`confine` for a process that is fenced in already and whose device is open, so that its driver's memory is there
    before the rest is bounded. The driver opens files again and again: descriptors are left to the fence."""
    _bound(limits, _address_space())


def _bound(limits: DecoderLimits, mapped: int) -> None:
    """`mapped` bytes of address space are not counted."""
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    _prctl(_PR_SET_DUMPABLE, 0)
    address_space = mapped + limits.memory_megabytes * _MEGABYTE
    bounds = {resource.RLIMIT_AS: address_space, resource.RLIMIT_FSIZE: 0, resource.RLIMIT_CORE: 0}
    for kind, bound in bounds.items():
        resource.setrlimit(kind, (bound, bound))


def allow_computing(seconds: float) -> None:
    """From now on; the kernel ends the process with SIGXCPU after that."""
    allowed = math.ceil(time.process_time() + seconds)
    resource.setrlimit(resource.RLIMIT_CPU, (allowed, resource.RLIM_INFINITY))


def allow_computing_until_progress(seconds: float) -> None:
    """From now until it is called again; the kernel ends the process with SIGPROF after that."""
    signal.setitimer(signal.ITIMER_PROF, seconds)


def _address_space() -> int:
    """Bytes that are mapped now."""
    with open("/proc/self/statm") as file:  # noqa: PTH123  (pathlib is not needed here otherwise)
        return int(file.read().split()[0]) * resource.getpagesize()


def _prctl(option: int, value: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")
