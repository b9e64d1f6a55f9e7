"""What one video may cost, and who may decode it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from service.video.options import DecoderChoice

if TYPE_CHECKING:
    from service.settings import Settings

_SILENCE_FACTOR = 4


@dataclass(frozen=True, slots=True)
class DecoderLimits:
    """Limits of a decoder process."""

    max_megapixels: float = 50.0
    """Largest frame."""
    memory_megabytes: int = 2048
    """Address space that it may take beyond what it has at its start and the frames that it shares."""
    frame_seconds: float = 30.0
    """Computing time between two signs of progress: a frame, or a packet that was passed over."""
    cpu_seconds: float = 900.0
    """Computing time for one probe, one index or one segment."""
    silence_seconds: float = 120.0
    """Time by the clock without a word, after which a process counts as hung: it may wait for storage or a core."""

    decoder: DecoderChoice = "software"
    """Who decodes the frames. What a video is, and whether it can be read, is found out in software in any case."""

    @classmethod
    def of(cls, settings: "Settings") -> Self:
        return cls(
            max_megapixels=settings.max_frame_megapixels,
            memory_megabytes=settings.decoder_memory_megabytes,
            frame_seconds=settings.decoder_frame_seconds,
            cpu_seconds=settings.decoder_cpu_seconds,
            silence_seconds=_SILENCE_FACTOR * settings.decoder_frame_seconds,
            decoder=settings.video_decoder,
        )

    @property
    def over_memory(self) -> str:
        return (
            f"the video takes more than {self.memory_megabytes} MB of memory to decode "
            "(ENDOMASK_DECODER_MEMORY_MEGABYTES)"
        )

    @property
    def over_frame_time(self) -> str:
        return (
            f"one place of the video takes more than {self.frame_seconds:g} s of computing to decode "
            "(ENDOMASK_DECODER_FRAME_SECONDS)"
        )

    @property
    def over_cpu_time(self) -> str:
        return (
            f"one part of the video takes more than {self.cpu_seconds:g} s of computing to decode "
            "(ENDOMASK_DECODER_CPU_SECONDS)"
        )
