"""What a video's segments share: its index, its picture, the model, and the folder that they write into."""

import math
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from service.loading import LoadedModel
from service.video.decoding.index import VideoIndex
from service.video.decoding.limits import DecoderLimits
from service.video.decoding.planes import Colour
from service.video.decoding.probe import VideoInfo
from service.video.options import EncoderName, VideoOptions
from service.video.segments.encoder import VideoFormat

REPORT_SAMPLES = 6
"""Frames shown in the report, evenly spread."""

_FALLBACK_RATE = Fraction(25)
_MAX_RATE = Fraction(1000)


@dataclass(frozen=True, slots=True)
class VideoWork:
    """A video at work. Every segment is a folder under `folder`, there as a whole or not at all."""

    source: Path
    folder: Path
    info: VideoInfo
    index: VideoIndex
    options: VideoOptions
    model: LoadedModel
    limits: DecoderLimits
    threads: int
    """Threads of the decoder and of the encoder, each."""
    encoder: EncoderName
    """The same for all segments, whoever does them: one file can't hold the streams of two."""

    @property
    def threshold(self) -> float:
        chosen = self.options.threshold
        return self.model.manifest.threshold if chosen is None else chosen

    @property
    def class_names(self) -> list[str]:
        """Names of the classes but the background, by id."""
        return [entry.name for entry in self.model.manifest.classes[1:]]

    @property
    def diagonal_px(self) -> float:
        """Of the frame."""
        return math.hypot(self.info.width, self.info.height)

    def seconds(self, time: int) -> float:
        """Time in the video's time base -> seconds."""
        return float(time * self.index.time_base)

    def sampled_frames(self) -> set[int]:
        """Indexes of the frames shown in the report."""
        step = self.options.frame_step
        last = (len(self.index) - 1) // step
        return {round(position * last / (REPORT_SAMPLES - 1)) * step for position in range(REPORT_SAMPLES)}

    def video_format(self, colour: Colour) -> VideoFormat:
        """Format of the annotated video. An odd width or height grows by one pixel, which H.264 in 4:2:0 needs."""
        width, height = self.info.width, self.info.height
        return VideoFormat(
            width=width + width % 2,
            height=height + height % 2,
            time_base=self.index.time_base,
            frame_rate=self._frame_rate(),
            pixel_aspect=Fraction(self.info.pixel_aspect.replace(":", "/")),
            colour=colour,
            encoder=self.encoder,
        )

    def _frame_rate(self) -> Fraction:
        if len(self.index) < 2:
            return _FALLBACK_RATE
        rate = Fraction(len(self.index) / self.index.duration_s).limit_denominator(1001)
        return min(max(rate, Fraction(1, 10)), _MAX_RATE)
