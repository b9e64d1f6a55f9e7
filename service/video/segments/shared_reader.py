"""One decoder process for several segments: its start costs a third of a second of computing."""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Self, TypeVar

from service.errors import DecoderKilled, DecoderUnavailable, UndecodableVideo
from service.video.decoding.hardware import device_nodes
from service.video.decoding.process import DECODER_COMMAND
from service.video.options import DecoderName
from service.video.segments.decoder import choose_decoder, pass_over_hardware
from service.video.segments.reader import FrameReader
from service.video.segments.work import VideoWork

T = TypeVar("T")

log = logging.getLogger(__name__)


class SharedReader:
    """Context: the decoder of one video's segments, done one after another in the thread that entered it.

    It is chosen and started when the first segment needs it. A segment that fails, or is dropped, ends it: what went
    wrong may be its, and it may be in the middle of a frame. The next segment starts another.
    """

    def __init__(
        self,
        hardware: Sequence[str] = DECODER_COMMAND,
        find_devices: Callable[[], list[str]] = device_nodes,
    ) -> None:
        """`hardware` is the command of a decoder in hardware, taken where it works."""
        self._hardware = hardware
        self._find_devices = find_devices
        self._decoder: DecoderName | None = None
        self._reader: FrameReader | None = None
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def with_frames(self, work: VideoWork, make: Callable[[FrameReader], T]) -> T:
        """What `make` makes of the video's frames, for one segment. Where hardware fails, it is made again from
        software's, which has the last word on a file, and so are the segments that follow.

        Raises what decoding raises: DecoderUnavailable only where hardware was asked for by name and does not start.
        """
        try:
            with self.reading(work) as reader:
                return make(reader)
        except (UndecodableVideo, DecoderKilled, DecoderUnavailable) as error:
            if not self._may_go_on_in_software(work, error):
                raise
            log.warning("a video's segment is decoded again, in software: %s", error)
        self._decoder = "software"
        with self.reading(work) as reader:
            return make(reader)

    def _may_go_on_in_software(self, work: VideoWork, error: Exception) -> bool:
        if self._decoder == "software":
            return False
        if isinstance(error, DecoderUnavailable):
            pass_over_hardware(self._hardware, str(error))
            return work.limits.decoder == "auto"
        return True

    @contextmanager
    def reading(self, work: VideoWork) -> Iterator[FrameReader]:
        """The video's frames, for one segment, by the decoder that is chosen."""
        if self._reader is None:
            self._reader = self._stack.enter_context(self._reader_of(work))
        try:
            yield self._reader
        except BaseException:
            self.close()
            raise

    def _reader_of(self, work: VideoWork) -> FrameReader:
        if self._decoder is None:
            self._decoder = choose_decoder(work.limits, work.info.codec, self._hardware, self._find_devices)
        command = DECODER_COMMAND if self._decoder == "software" else self._hardware
        size = work.info.height, work.info.width
        return FrameReader(work.source, work.index, size, work.limits, work.threads, command, self._decoder)

    def close(self) -> None:
        """End the decoder, if there is one."""
        self._reader = None
        self._stack.close()
