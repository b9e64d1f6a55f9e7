"""A decoder that a hostile file has taken over: confined as the real one, it does what its first argument says.

python -P -m tests.support.hostile_decoder segfault ...
"""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NoReturn

from service.video.decoding import wire
from service.video.decoding.__main__ import Decoder, main

ROOT = Path(__file__).resolve().parents[2]


def command(trick: str) -> tuple[str, ...]:
    return (sys.executable, "-P", "-m", "tests.support.hostile_decoder", trick)


class HostileDecoder(Decoder):
    def answer(self, request: dict[str, Any]) -> bytes:
        found: bytes = getattr(self, sys.argv[1])()
        return found

    def segfault(self) -> NoReturn:
        os.kill(os.getpid(), signal.SIGSEGV)
        raise AssertionError

    def killed(self) -> NoReturn:
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError

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
            return refusal(f"{count} MB")

    def reaches_out(self) -> bytes:
        done = []
        for name, attempt in (
            ("open", (ROOT / "pyproject.toml").open),
            ("socket", socket.socket),
            ("pipe", os.pipe),
            ("run", lambda: subprocess.run(["/bin/true"], check=True)),
        ):
            try:
                attempt()
                done.append(name)
            except OSError:
                continue
        return refusal(f"did {done}, knows {sorted(os.environ)}")

    def lies_about_the_frame(self) -> bytes:
        return wire.FrameHeader(10**6, 1, 1, 1, 1).pack()

    def talks_nonsense(self) -> bytes:
        return wire.FRAME + b"nonsense"

    def talks_endlessly(self) -> bytes:
        os.write(1, b"\xff\xff\xff\xff" + b"\x7f" * 8)
        return wire.DONE


def refusal(detail: str) -> bytes:
    return wire.REFUSED + wire.pack_json({"code": "undecodable_video", "detail": detail, "limit": False})


if __name__ == "__main__":
    main(sys.argv[2], HostileDecoder)
