"""Landlock: the kernel takes the file system away from a thread, but for a few paths. Linux 6.2 or newer."""

import ctypes
import errno
import os
import struct
from collections.abc import Mapping
from pathlib import Path

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR, _TRUNCATE = 1, 2, 4, 8, 1 << 14
READ = _READ_FILE | _READ_DIR
WRITE = _WRITE_FILE | _TRUNCATE

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
"""Numbers of the system calls, the same on every architecture."""
_VERSION = 1
_LEAST_VERSION = 3
"""The first that keeps files from being truncated."""
_EVERYTHING = (1 << 15) - 1
"""All that version 3 can deny: to open, run, make, remove, rename or truncate a file or folder. What may be done with a
device follows from whether it may be opened."""
_OF_A_FILE = _EXECUTE | _READ_FILE | WRITE
_PATH_BENEATH = 1


def restrict(allowed: Mapping[str, int]) -> None:
    """From now on this thread, and every thread that it starts, may do with these paths and what lies beneath them what
    is said here, and nothing with any other. Paths that are not there are passed over.

    Threads that run already stay as free as they were. Needs `no_new_privs`. Raises OSError.
    """
    require()
    ruleset = _system_call(_CREATE_RULESET, struct.pack("=Q", _EVERYTHING), 8, 0)
    try:
        for path, rights in allowed.items():
            if Path(path).exists():
                _allow(ruleset, path, rights if Path(path).is_dir() else rights & _OF_A_FILE)
        _system_call(_RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)


def require() -> None:
    """Raise OSError where the kernel has no Landlock, too old a one, or a container keeps it away."""
    try:
        version = _system_call(_CREATE_RULESET, None, 0, _VERSION)
    except OSError as error:
        raise OSError(error.errno, "the kernel has no Landlock, or the container does not allow it") from error
    if version < _LEAST_VERSION:
        raise OSError(errno.EOPNOTSUPP, f"the kernel's Landlock is of version {version}; {_LEAST_VERSION} is needed")


def _allow(ruleset: int, path: str, rights: int) -> None:
    place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        _system_call(_ADD_RULE, ruleset, _PATH_BENEATH, struct.pack("=Qi", rights, place), 0)
    finally:
        os.close(place)


def _system_call(number: int, *arguments: int | bytes | None) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    given = [ctypes.c_long(value) if isinstance(value, int) else value for value in arguments]
    result = int(libc.syscall(ctypes.c_long(number), *given))
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result
