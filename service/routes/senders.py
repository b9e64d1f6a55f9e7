"""The uploads that this server is reading: how many at once, of whom, and who makes way for whom."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from service.backends.cores import available_cores
from service.errors import CallerLimit, Overloaded
from service.http.bodies import Sender
from service.settings import Settings

_MAKE_WAY_SECONDS = 5.0


class Senders:
    """Used from the event loop only."""

    def __init__(self, settings: Settings) -> None:
        self._most = settings.max_uploads
        self._most_of_a_caller = settings.max_uploads_per_caller
        self._callers: Counter[str] = Counter()
        self._at: dict[str, tuple[Sender, asyncio.Event]] = {}
        self.deciding = asyncio.Semaphore(max(2, available_cores()))
        """Held while a whole upload is read, its first frame decoded and a job made of it: others wait."""

    @contextmanager
    def admit(self, caller: str) -> Iterator[None]:
        """Count an upload while its body is read; raises CallerLimit, Overloaded."""
        if self._callers[caller] >= self._most_of_a_caller:
            raise CallerLimit(
                f"{self._most_of_a_caller} of your uploads are being read, which is the most "
                "(ENDOMASK_MAX_UPLOADS_PER_CALLER); wait for one to end"
            )
        if self._callers.total() >= self._most:
            raise Overloaded(f"{self._most} uploads are being read, which is the most (ENDOMASK_MAX_UPLOADS)")
        self._callers[caller] += 1
        try:
            yield
        finally:
            self._callers[caller] -= 1
            self._callers += Counter()  # drops those at 0

    @contextmanager
    def sending(self, upload_id: str, sender: Sender) -> Iterator[None]:
        """Make known who sends to an upload."""
        gone = asyncio.Event()
        self._at[upload_id] = (sender, gone)
        try:
            yield
        finally:
            del self._at[upload_id]
            gone.set()

    async def make_way(self, upload_id: str) -> None:
        """Have the one who sends to an upload stop: its connection may be dead, and its caller is back on another."""
        if upload_id not in self._at:
            return
        sender, gone = self._at[upload_id]
        sender.replace()
        with suppress(TimeoutError):
            async with asyncio.timeout(_MAKE_WAY_SECONDS):
                await gone.wait()
