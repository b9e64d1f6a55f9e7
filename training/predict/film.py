"""Annotated pictures of a run, as a person looks at them: a film, a small animation, or one picture."""

from fractions import Fraction
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
from PIL import Image

from service.backends.cores import available_cores
from service.imaging.codecs import encode_jpeg
from service.imaging.geometry import U8, InputSpec, prepare
from service.video.decoding.planes import Colour, Planes, to_frame
from service.video.segments.encoder import VideoFormat
from service.video.segments.writer import Part, SegmentWriter, join
from training.predict.source import Source

_TIME_BASE = Fraction(1, 90_000)
_BT709 = Colour(space=1, range=1, primaries=1, transfer=1)


class Sink(Protocol):
    """Takes annotated frames in order; the file is there once `close` has returned."""

    def add(self, picture: U8, time_s: float | None) -> None:
        """RGB uint8 [H, W, 3]."""
        ...

    def close(self) -> None: ...


class Film:
    """H.264 in MP4 that plays in a browser; each frame at its own time, pictures one after the other."""

    def __init__(self, path: Path, source: Source) -> None:
        self._path = path
        self._part = path.with_name(f"{path.name}.part")
        self._step = source.seconds_per_frame
        self._aspect = source.pixel_aspect
        self._count = 0
        self._last = 0
        self._size: tuple[int, int] | None = None

    def add(self, picture: U8, time_s: float | None) -> None:
        if self._size is None:
            self._size = picture.shape[0], picture.shape[1]
            self._writer = SegmentWriter(self._part, self._format(*self._size), max(1, available_cores() // 2))
        if picture.shape[:2] != self._size:
            picture = prepare(picture, InputSpec(*self._size, "letterbox"))
        seconds = self._count * self._step if time_s is None else time_s
        self._last = round(seconds / _TIME_BASE)
        self._writer.write(to_frame(_to_planes(picture)), self._last)
        self._count += 1

    def close(self) -> None:
        if self._size is None:
            return
        self._writer.close()
        ends_at = self._last + round(self._step / _TIME_BASE)
        joined = self._path.with_name(f"{self._path.name}.joined")
        join([Part(self._part, self._writer.starts_at or 0)], joined, _TIME_BASE, ends_at)
        joined.replace(self._path)
        self._part.unlink()

    def _format(self, height: int, width: int) -> VideoFormat:
        return VideoFormat(
            width=width + width % 2,
            height=height + height % 2,
            time_base=_TIME_BASE,
            frame_rate=1 / self._step,
            pixel_aspect=self._aspect,
            colour=_BT709,
        )


class Animation:
    """A GIF of bounded size: at most `MOST_FRAMES` frames, evenly spread, `width` pixels wide at most; in real time as
    long as that many frames do, else in time lapse."""

    MOST_FRAMES = 120

    def __init__(self, path: Path, source: Source, width: int, frames_per_second: float) -> None:
        self._path = path
        self._width = width
        step = float(source.seconds_per_frame) if source.kind == "video" else 1 / frames_per_second
        paced = max(1, round(1 / (frames_per_second * step)))
        self._every = max(paced, -(-source.total // self.MOST_FRAMES))
        self._milliseconds = round(1000 * step * paced)
        self._count = 0
        self._frames: list[Image.Image] = []

    def add(self, picture: U8, time_s: float | None) -> None:  # noqa: ARG002 - a GIF has its own pace
        if self._count % self._every == 0:
            height, width = picture.shape[:2]
            scale = min(1.0, self._width / width)
            size = max(1, round(width * scale)), max(1, round(height * scale))
            small = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
            self._frames.append(Image.fromarray(small).quantize(128))
        self._count += 1

    def close(self) -> None:
        if not self._frames:
            return
        part = self._path.with_name(f"{self._path.name}.part")
        first, *others = self._frames
        first.save(part, "GIF", save_all=True, append_images=others, duration=self._milliseconds, loop=0)
        part.replace(self._path)


class Still:
    """One annotated picture, JPEG."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def add(self, picture: U8, time_s: float | None) -> None:  # noqa: ARG002 - a picture has no time
        self._path.write_bytes(encode_jpeg(picture))

    def close(self) -> None:
        """Nothing is left to do."""


def _to_planes(rgb: U8) -> Planes:
    """RGB uint8 [H, W, 3] -> planes in BT.709, chroma averaged over 2x2 pixels."""
    height, width = rgb.shape[:2]
    yuv = np.asarray(cv2.transform(rgb, _BT709.from_rgb()), np.uint8)
    half = (width + 1) // 2, (height + 1) // 2
    u, v = (
        np.asarray(cv2.resize(np.ascontiguousarray(yuv[..., k]), half, interpolation=cv2.INTER_AREA), np.uint8)
        for k in (1, 2)
    )
    return Planes.of(yuv[..., 0], u, v, _BT709)
