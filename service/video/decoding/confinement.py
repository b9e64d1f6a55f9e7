"""What the decoder process gives up before it looks at a file. Linux only, as the service is."""

import ctypes
import math
import os
import resource
import signal
import sys
import time

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

    With no descriptor left under the limit, `open` and `socket` fail alike; those that are open stay so.
    """
    address_space = _address_space() + limits.memory_megabytes * _MEGABYTE
    free = os.dup(0)
    os.close(free)
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    _prctl(_PR_SET_DUMPABLE, 0)
    bounds = {
        resource.RLIMIT_AS: address_space,
        resource.RLIMIT_NOFILE: free,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_CORE: 0,
    }
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
