"""The service's side of the decoder process: start it, ask it, hear it out, and tell what it died of."""

import json
import logging
import os
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Self

from service.errors import (
    DecoderCrashed,
    DecoderKilled,
    DecoderLimit,
    DecoderUnavailable,
    EndomaskError,
    TooManyPixels,
    UndecodableVideo,
)
from service.video.decoding import wire
from service.video.decoding.limits import DecoderLimits

log = logging.getLogger(__name__)

DECODER_COMMAND = (sys.executable, "-P", "-m", "service.video.decoding")
_ROOT = Path(__file__).resolve().parents[3]
_ENVIRONMENT = {
    "PYTHONPATH": str(_ROOT),
    "OPENBLAS_NUM_THREADS": "1",
    "MALLOC_ARENA_MAX": "2",
}
"""All that the decoder gets of the environment: no address, no password. One heap for each of two threads keeps its
address space near what it uses."""

_OF_THE_DEVICE = ("CUDA_VISIBLE_DEVICES", "LD_LIBRARY_PATH")
"""What a decoder in hardware gets besides: which device, and where its driver may lie."""

_STARTING_SECONDS = 60.0
"""A driver may be silent for so long while it starts."""

_OUTSIDE = {signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP}
_LONGEST_DETAIL = 500
_DEATH_SECONDS = 10.0


class DecoderProcess:
    """Context: a decoder of one file. It dies with this context, and with the thread that entered it."""

    def __init__(
        self,
        path: Path,
        limits: DecoderLimits,
        memory: int | None = None,
        command: Sequence[str] = DECODER_COMMAND,
        *,
        in_hardware: bool = False,
    ) -> None:
        """`memory` is the descriptor of the memory for frames; the process gets it too."""
        self._path = path
        self._limits = limits
        self._memory = memory
        self._command = command
        self._in_hardware = in_hardware
        self._silence_seconds = max(limits.silence_seconds, _STARTING_SECONDS if in_hardware else 0.0)

    def __enter__(self) -> Self:
        arguments = json.dumps([os.getpid(), self._memory, self._in_hardware, asdict(self._limits)])
        passed_on = {name: os.environ[name] for name in _OF_THE_DEVICE if self._in_hardware and name in os.environ}
        with self._path.open("rb") as file, ExitStack() as ends:
            ours, theirs = (ends.enter_context(end) for end in socket.socketpair())
            for direction in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
                ours.setsockopt(socket.SOL_SOCKET, direction, _timeval(self._silence_seconds))
            self._process: subprocess.Popen[bytes] = subprocess.Popen(
                [*self._command, arguments],
                stdin=file,
                stdout=theirs.fileno(),
                pass_fds=() if self._memory is None else (self._memory,),
                env=_ENVIRONMENT | passed_on,
                cwd="/",
            )
            self._connection = Connection(ours.detach())
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        self._connection.close()

    @property
    def pid(self) -> int:
        return self._process.pid

    def cpu_seconds(self) -> float:
        """Computing time of the process so far; 0 once it is dead."""
        try:
            return time.clock_gettime(~self.pid << 3 | 2)  # Linux's number for this clock, see clock_getcpuclockid(3)
        except OSError:
            return 0.0

    def send(self, message: bytes) -> None:
        """Raises DecoderLimit, DecoderCrashed, DecoderKilled when the process has died."""
        try:
            self._connection.send_bytes(message)
        except BlockingIOError as error:
            raise self._hung() from error
        except (BrokenPipeError, ConnectionResetError) as error:
            raise self._death() from error

    def receive(self) -> tuple[bytes, bytes]:
        """Kind and body of the next message that is more than a sign of life.

        Raises what the decoder refuses with, or DecoderLimit, DecoderCrashed, DecoderKilled.
        """
        while True:
            message = self._hear()
            kind, body = message[:1], message[1:]
            if kind == wire.REFUSED:
                raise _refused(body)
            if kind == wire.FAULT:
                log.error("the decoder failed: %s", body.decode("utf-8", "replace"))
                raise DecoderCrashed("the decoder failed on this file; the service's log says where")
            if kind != wire.ALIVE:
                return kind, body

    def _hear(self) -> bytes:
        try:
            return self._connection.recv_bytes(wire.LONGEST_MESSAGE)
        except BlockingIOError as error:
            raise self._hung() from error
        except (EOFError, ConnectionResetError) as error:
            raise self._death() from error
        except OSError as error:
            raise self.misled() from error

    def misled(self) -> EndomaskError:
        """The error for an answer that no decoder gives."""
        return DecoderCrashed("the decoder gave an answer that makes no sense; the file may be made to attack it")

    def _hung(self) -> EndomaskError:
        return DecoderKilled(f"the decoder gave no sign of life for {self._silence_seconds:g} s and was stopped")

    def _death(self) -> EndomaskError:
        try:
            return _cause(self._process.wait(_DEATH_SECONDS), self._limits)
        except subprocess.TimeoutExpired:
            return self.misled()


def _refused(body: bytes) -> EndomaskError:
    """What a decoder's refusal stands for; an unknown one is the file's fault."""
    try:
        told: dict[str, Any] = json.loads(body)
        code, detail, limit = str(told["code"]), str(told["detail"])[:_LONGEST_DETAIL], bool(told["limit"])
    except (ValueError, KeyError, TypeError):
        return UndecodableVideo("the file is not a readable video")
    if limit:
        return DecoderLimit(detail)
    return {kind.code: kind for kind in (TooManyPixels, DecoderUnavailable)}.get(code, UndecodableVideo)(detail)


def _cause(code: int, limits: DecoderLimits) -> EndomaskError:
    """What a process that ended with this return code died of."""
    if code == -signal.SIGPROF:
        return DecoderLimit(limits.over_frame_time)
    if code == -signal.SIGXCPU:
        return DecoderLimit(limits.over_cpu_time)
    if -code in _OUTSIDE:
        return DecoderKilled(f"the decoder was killed ({signal.Signals(-code).name}); the machine may lack memory")
    if code < 0:
        return DecoderCrashed(f"the decoder crashed on this file ({_signal_name(-code)})")
    return DecoderKilled(f"the decoder ended by itself (return code {code}); the service's log may say why")


def _timeval(seconds: float) -> bytes:
    return struct.pack("@ll", int(seconds), int(seconds % 1 * 1e6))


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
