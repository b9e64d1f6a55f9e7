"""One decoder process for several segments: its start costs a third of a second of computing."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Self

from service.video.segments.reader import FrameReader
from service.video.segments.work import VideoWork


class SharedReader:
    """Context: the decoder of one video's segments, done one after another in the thread that entered it.

    It is started when the first segment needs it. A segment that fails, or is dropped, ends it: what went wrong may be
    its, and it may be in the middle of a frame. The next segment starts another.
    """

    def __init__(self) -> None:
        self._reader: FrameReader | None = None
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def reading(self, work: VideoWork) -> Iterator[FrameReader]:
        """The video's frames, for one segment."""
        if self._reader is None:
            self._reader = self._stack.enter_context(self.reader_of(work))
        try:
            yield self._reader
        except BaseException:
            self.close()
            raise

    def reader_of(self, work: VideoWork) -> FrameReader:
        size = work.info.height, work.info.width
        return FrameReader(work.source, work.index, size, work.limits, work.threads, decoder=work.decoder)

    def close(self) -> None:
        """End the decoder, if there is one."""
        self._reader = None
        self._stack.close()
