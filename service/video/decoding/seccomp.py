"""System calls that a process gives up by a seccomp filter: what Landlock says nothing about. x86-64 only."""

import ctypes
import errno
import os
import struct

_FORBIDDEN = {
    # other machines and other processes
    "socket": 41, "connect": 42, "accept": 43, "bind": 49, "listen": 50, "socketpair": 53, "accept4": 288,
    "shmget": 29, "shmat": 30, "semget": 64, "msgget": 68, "mq_open": 240, "kill": 62, "tkill": 200, "tgkill": 234,
    "rt_sigqueueinfo": 129, "rt_tgsigqueueinfo": 297, "pidfd_send_signal": 424, "pidfd_open": 434, "pidfd_getfd": 438,
    "ptrace": 101, "process_vm_readv": 310, "process_vm_writev": 311, "process_madvise": 440, "kcmp": 312,
    "setpriority": 141, "sched_setparam": 142, "sched_setscheduler": 144, "sched_setattr": 314, "ioprio_set": 251,
    # programs
    "fork": 57, "vfork": 58, "execve": 59, "execveat": 322,
    # what a file is, beside what is in it
    "chmod": 90, "fchmod": 91, "fchmodat": 268, "fchmodat2": 452, "chown": 92, "fchown": 93, "lchown": 94,
    "fchownat": 260, "utime": 132, "utimes": 235, "futimesat": 261, "utimensat": 280, "setxattr": 188, "lsetxattr": 189,
    "fsetxattr": 190, "removexattr": 197, "lremovexattr": 198, "fremovexattr": 199, "open_by_handle_at": 304,
    # the system itself, and ways around all this
    "personality": 135, "pivot_root": 155, "chroot": 161, "mount": 165, "umount2": 166, "unshare": 272, "setns": 308,
    "open_tree": 428, "move_mount": 429, "fsopen": 430, "fsmount": 432, "mount_setattr": 442, "add_key": 248,
    "request_key": 249, "keyctl": 250, "perf_event_open": 298, "bpf": 321, "userfaultfd": 323, "io_uring_setup": 425,
    "io_uring_enter": 426, "io_uring_register": 427,
}  # fmt: skip
_IOCTL, _CLONE, _PRLIMIT, _CLONE3, _FIRST_UNKNOWN = 16, 56, 302, 435, 463
_CLONE_THREAD, _TIOCSTI = 0x10000, 0x5412

_ARCHITECTURE = 0xC000003E
_NUMBER_AT, _ARCHITECTURE_AT, _ARGUMENTS_AT = 0, 4, 16
_LOAD, _IF_EQUAL, _IF_AT_LEAST, _IF_BITS, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _KILL = 0x7FFF0000, 0x80000000
_FAIL = 0x00050000
_PR_SET_SECCOMP, _FILTER = 22, 2


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("steps", ctypes.c_char_p))


def forbid() -> None:
    """From now on, for this thread and every thread that it starts: no socket, signal, process, program, attribute of a
    file or kernel interface of those above. A call newer than this list does not exist. Needs `no_new_privs`.

    Raises OSError where the machine is another or the kernel has no filters.
    """
    require()
    steps = _steps()
    program = _Program(len(steps) // 8, steps)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_SECCOMP, ctypes.c_ulong(_FILTER), ctypes.byref(program), 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "the kernel takes no filter of system calls")


def require() -> None:
    """Raise OSError where the machine is another."""
    if os.uname().machine != "x86_64":
        raise OSError(errno.EOPNOTSUPP, f"system calls are filtered on x86_64 only, and this is {os.uname().machine}")


def _steps() -> bytes:
    """The filter: a step is 8 bytes, jumps count the steps to pass over."""
    refuse, missing = _FAIL | errno.EPERM, _FAIL | errno.ENOSYS
    steps = [
        _step(_LOAD, _ARCHITECTURE_AT),
        _step(_IF_EQUAL, _ARCHITECTURE, 1, 0),
        _step(_RETURN, _KILL),
        _step(_LOAD, _NUMBER_AT),
        _step(_IF_AT_LEAST, _FIRST_UNKNOWN, 0, 1),
        _step(_RETURN, missing),
        _step(_IF_EQUAL, _CLONE3, 0, 1),
        _step(_RETURN, missing),  # its flags can't be seen; the C library takes `clone` then
        *_by_argument(_CLONE, 0, _step(_IF_BITS, _CLONE_THREAD, 0, 1), [_ALLOW, refuse]),
        *_by_argument(_PRLIMIT, 0, _step(_IF_EQUAL, 0, 0, 1), [_ALLOW, refuse]),  # of this process only
        *_by_argument(_IOCTL, 1, _step(_IF_EQUAL, _TIOCSTI, 0, 1), [refuse, _ALLOW]),  # keys typed into a terminal
    ]
    for number in _FORBIDDEN.values():
        steps += [_step(_IF_EQUAL, number, 0, 1), _step(_RETURN, refuse)]
    return b"".join([*steps, _step(_RETURN, _ALLOW)])


def _by_argument(number: int, argument: int, test: bytes, answers: list[int]) -> list[bytes]:
    """For one call: the first answer where the lower half of an argument passes the test, else the second."""
    load = _step(_LOAD, _ARGUMENTS_AT + 8 * argument)
    return [_step(_IF_EQUAL, number, 0, 4), load, test, *(_step(_RETURN, answer) for answer in answers)]


def _step(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)
