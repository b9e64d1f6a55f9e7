"""An upload on its way to disk: checksummed as it comes, a megabyte at a time, off the event loop."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Protocol

from service.storage.disk import full_disk_is_no_space

_WRITE_BYTES = 1 << 20
_CHECK_SPACE_BYTES = 64 << 20


class Checksum(Protocol):
    """One of hashlib's."""

    def update(self, data: bytes | bytearray, /) -> None: ...
    def digest(self) -> bytes: ...
    def hexdigest(self) -> str: ...


class UploadFile:
    """A file that is being received, from its present end on. `check_space` is called now and then and may raise."""

    def __init__(self, path: Path, check_space: Callable[[], None], checksums: Sequence[Checksum]) -> None:
        self.path = path
        self.bytes = 0
        """Written by now, and in the checksums."""
        self._check_space = check_space
        self._checksums = checksums
        self._since_check = 0

    async def receive(self, chunks: AsyncIterator[bytes]) -> None:
        """Write all chunks, and make sure that they are on the disk; also what came before `chunks` raised. Raises
        NoSpace, and what `chunks` raises."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        descriptor = await asyncio.to_thread(os.open, self.path, flags, 0o600)
        waiting = bytearray()
        try:
            async for chunk in chunks:
                waiting += chunk
                if len(waiting) >= _WRITE_BYTES:
                    whole, waiting = waiting, bytearray()
                    await asyncio.to_thread(self._write, descriptor, whole)
        finally:
            try:
                await asyncio.to_thread(self._settle, descriptor, waiting)
            finally:
                os.close(descriptor)

    def _settle(self, descriptor: int, rest: bytearray) -> None:
        self._write(descriptor, rest)
        with full_disk_is_no_space():
            os.fsync(descriptor)

    def _write(self, descriptor: int, data: bytearray) -> None:
        self._since_check += len(data)
        if self._since_check >= _CHECK_SPACE_BYTES:
            self._since_check = 0
            self._check_space()
        with memoryview(data) as rest, full_disk_is_no_space():
            written = 0
            while written < len(rest):
                written += os.write(descriptor, rest[written:])
        for checksum in self._checksums:
            checksum.update(data)
        self.bytes += len(data)
