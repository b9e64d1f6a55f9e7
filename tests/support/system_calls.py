"""System calls of a process as strace sees them, what of its files outlasts a loss of power, and kills at a call."""

import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

STRACE = shutil.which("strace")
SENDING = ("sendto", "sendmsg")
"""Calls that ask another process for something."""
CHANGING = ("mkdir", "rename", "link", "fsync", "fdatasync", "unlink", "rmdir", "unlinkat")
"""Calls that change what there is, or make it last. Between two of them a kill leaves the same."""
_WRITING = ("openat", "write", "writev", "pwrite64", "pwritev", "ftruncate", "copy_file_range", "sendfile")
_LINE = re.compile(r"^(\d+) +(\w+)\((.*)\) += (-?\d+)(?:<(.*)>)?.*$")
_PATH = re.compile(r'"((?:[^"\\]|\\.)*)"')
_OPEN = re.compile(r"^\d+<([^>]*)>")


@dataclass(frozen=True, slots=True)
class Call:
    thread: int
    name: str
    arguments: str
    path: str
    """Of the descriptor that it is about, or that it gives."""

    @property
    def paths(self) -> list[str]:
        """That are named in its arguments."""
        return _PATH.findall(self.arguments)


def trace(command: list[str], log: Path) -> list[Call]:
    """The calls of a command that succeeded, in their order. Threads and children included."""
    assert STRACE is not None
    wanted = ",".join((*CHANGING, "renameat", "renameat2", "linkat", "mkdirat", *_WRITING, *SENDING))
    subprocess.run([STRACE, "-f", "-y", "-s", "4", "-e", f"trace={wanted}", "-o", str(log), *command], check=True)
    return list(_calls(log.read_text().splitlines()))


def kill_at(command: list[str], name: str, number: int) -> bool:
    """Run a command that is killed when a thread of it makes its `number`th call of this name; False when none did, and
    it succeeded. Raises CalledProcessError when it failed by itself."""
    assert STRACE is not None
    inject = ["-e", f"trace={name}", "-e", f"inject={name}:signal=KILL:when={number}", "-o", "/dev/null"]
    done = subprocess.run([STRACE, "-f", *inject, *command], check=False)
    if done.returncode == -signal.SIGKILL:  # strace ends as its command did
        return True
    done.check_returncode()
    return False


def _calls(lines: list[str]) -> Iterator[Call]:
    """A call that another thread's came into is told in two lines; it counts when it ends."""
    begun: dict[str, str] = {}
    for line in lines:
        thread = line.split(" ", 1)[0]
        if line.endswith("<unfinished ...>"):
            begun[thread] = line.removesuffix("<unfinished ...>").rstrip()
            continue
        whole = re.sub(r"^\d+ +<\.\.\. \w+ resumed>", lambda _: begun.pop(thread), line)  # noqa: B023  (used at once)
        if (match := _LINE.match(whole)) and int(match[4]) >= 0:
            of = _OPEN.match(match[3])
            yield Call(int(match[1]), match[2], match[3], match[5] or (of[1] if of else ""))


class Disk:
    """What of a folder's files would be there after a loss of power, as POSIX promises it and no more: contents after
    an fsync of the file, a name after an fsync of its folder."""

    def __init__(self) -> None:
        self.unwritten: set[str] = set()
        """Files whose contents were changed since they were last synced."""
        self.unnamed: set[str] = set()
        """Names that are new since their folder was last synced."""

    def see(self, call: Call) -> None:
        match call.name:
            case "openat" if "O_CREAT" in call.arguments:
                self._make(call.path, contents=True)
            case "write" | "writev" | "pwrite64" | "pwritev" | "ftruncate":
                self.unwritten.add(call.path)
            case "mkdir":
                self._make(call.paths[0], contents=False)
            case "fsync" | "fdatasync":
                self.unwritten.discard(call.path)
                self.unnamed = {name for name in self.unnamed if name.rpartition("/")[0] != call.path}
            case "rename" | "renameat" | "renameat2":
                self._move(*call.paths[:2])
            case "link" | "linkat":
                old, new = call.paths[:2]
                self.unnamed.add(new)
                self.unwritten |= {new} if old in self.unwritten else set()
            case "unlink" | "rmdir":
                self._forget(call.paths[0])
            case "unlinkat":
                self._forget(f"{call.path}/{call.paths[0]}")

    def lost(self, below: str) -> set[str]:
        """Paths below a folder whose contents or whose way there would not survive."""
        return {path for path in self.unwritten | self.unnamed if path.startswith(below)}

    def _make(self, path: str, *, contents: bool) -> None:
        self.unnamed.add(path)
        if contents:
            self.unwritten.add(path)

    def _move(self, old: str, new: str) -> None:
        def moved(path: str) -> str:
            return new + path.removeprefix(old) if path == old or path.startswith(f"{old}/") else path

        self._forget(new)
        self.unwritten = {moved(path) for path in self.unwritten}
        self.unnamed = {moved(path) for path in self.unnamed} | {new}

    def _forget(self, gone: str) -> None:
        for paths in (self.unwritten, self.unnamed):
            paths -= {path for path in paths if path == gone or path.startswith(f"{gone}/")}
