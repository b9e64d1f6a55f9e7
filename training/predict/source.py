"""Frames of a video, a picture or a folder of pictures, one at a time; nothing is held in memory."""

import re
from collections.abc import Container, Iterator
from copy import copy
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import Literal, Protocol, Self

from service.backends.cores import available_cores
from service.errors import EndomaskError
from service.imaging.codecs import decode
from service.imaging.geometry import U8
from service.video.decoding.index import Segment
from service.video.decoding.limits import DecoderLimits
from service.video.decoding.planes import to_rgb
from service.video.segments.reader import FrameReader, index_video, probe
from training.errors import InputError

PICTURES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"}
PICTURE_SECONDS = Fraction(1, 5)
"""How long an annotated film shows each picture of a folder, which has no time of its own."""

_MAX_MEGAPIXELS = 200.0
_LIMITS = DecoderLimits(max_megapixels=_MAX_MEGAPIXELS, memory_megabytes=16_384, cpu_seconds=1e6)
_TRAILING_NUMBER = re.compile(r"[ _.-]*\d+$")


@dataclass(frozen=True)
class InputFrame:
    """One frame: `index` is its place in the input, `image` RGB uint8 [H, W, 3], `time_s` None for a picture."""

    index: int
    name: str
    """Of its mask, without suffix: a picture's own name, a video frame's index in eight digits."""
    group: str
    """The video, or what the names of a folder's pictures have in common before their last number."""
    time_s: float | None
    image: U8
    path: Path | None = None
    """A picture's file."""


class Source(Protocol):
    """What is predicted."""

    kind: Literal["video", "pictures"]
    name: str
    pixel_aspect: Fraction
    """Width to height of a pixel as seen."""
    total: int
    """Frames that are wanted."""
    damaged: list[str]
    """Pictures that could not be decoded so far."""

    @property
    def identity(self) -> str:
        """Tells this input from another in the same place."""
        ...

    @property
    def seconds_per_frame(self) -> Fraction:
        """Usual time between wanted frames, for a film of them."""
        ...

    def frames(self, done: Container[str] = ()) -> Iterator[InputFrame]:
        """Wanted frames in order, without those named in `done`."""
        ...

    def only(self, names: Container[str]) -> Self:
        """The same input, of which no more than the frames so named are wanted."""
        ...


class VideoSource:
    """Every `step`-th frame of a video, at most `limit` of them; damaged frames are left out."""

    kind: Literal["video", "pictures"] = "video"

    def __init__(self, path: Path, step: int, limit: int | None) -> None:
        self.name = path.name
        self.damaged: list[str] = []
        self._path = path
        self._step = step
        self._info = probe(path, _LIMITS)
        self._index = index_video(path, _LIMITS, None if limit is None else step * limit)
        self._wanted = list(range(0, len(self._index), step))
        self.pixel_aspect = Fraction(self._info.pixel_aspect.replace(":", "/"))
        self.total = len(self._wanted)

    @property
    def identity(self) -> str:
        return f"{self.name}, {self._info.bytes} bytes"

    @property
    def seconds_per_frame(self) -> Fraction:
        seconds = self._index.duration_s * self._step / len(self._index)
        return min(max(Fraction(seconds).limit_denominator(1001), Fraction(1, 1000)), Fraction(10))

    def frames(self, done: Container[str] = ()) -> Iterator[InputFrame]:
        wanted = [number for number in self._wanted if _number_name(number) not in done]
        chosen = frozenset(wanted)
        size, threads = (self._info.height, self._info.width), max(1, available_cores() // 2)
        with FrameReader(self._path, self._index, size, _LIMITS, threads) as reader:
            for number, planes in chain.from_iterable(map(reader.read, self._segments(wanted))):
                if number in chosen:
                    seconds = float(self._index.times[number] * self._index.time_base)
                    yield InputFrame(number, _number_name(number), self._path.stem, seconds, to_rgb(planes))

    def only(self, names: Container[str]) -> Self:
        chosen = copy(self)
        chosen._wanted = [number for number in self._wanted if _number_name(number) in names]
        chosen.total = len(chosen._wanted)
        return chosen

    def _segments(self, wanted: list[int]) -> list[Segment]:
        """One run over the file, or a jump to each frame where keyframes lie closer than the wanted frames."""
        apart = (wanted[-1] - wanted[0]) / len(wanted) if wanted else 0
        if apart > 2 * len(self._index) / max(1, len(self._index.keyframes)):
            return [Segment(place, number, number + 1) for place, number in enumerate(wanted)]
        return [Segment(0, wanted[0], wanted[-1] + 1)] if wanted else []


class PictureSource:
    """Every `step`-th of some pictures, at most `limit` of them, in the order of their names."""

    kind: Literal["video", "pictures"] = "pictures"
    seconds_per_frame = PICTURE_SECONDS
    pixel_aspect = Fraction(1)

    def __init__(self, root: Path, paths: list[Path], step: int = 1, limit: int | None = None) -> None:
        self.name = root.name
        self.damaged: list[str] = []
        self._named = {name: path for path in paths for name in [_picture_name(root, path)]}
        if len(self._named) < len(paths):
            raise InputError(f"{root} holds pictures whose names differ in their suffix only; rename them")
        self._wanted = list(enumerate(self._named))[::step][:limit]
        self.total = len(self._wanted)

    @property
    def identity(self) -> str:
        return self.name

    def frames(self, done: Container[str] = ()) -> Iterator[InputFrame]:
        for index, name in self._wanted:
            if name in done:
                continue
            try:
                body = self._named[name].read_bytes()
                image = decode(body, content_type=None, max_megapixels=_MAX_MEGAPIXELS)
            except EndomaskError:
                self.damaged.append(name)
                continue
            yield InputFrame(index, name, group_of(name), None, image, self._named[name])

    def only(self, names: Container[str]) -> Self:
        chosen = copy(self)
        chosen._wanted = [(index, name) for index, name in self._wanted if name in names]
        chosen.total = len(chosen._wanted)
        return chosen


def open_source(path: Path, step: int = 1, limit: int | None = None) -> Source:
    """`path`: a video, a picture, or a folder of pictures, searched in depth. Raises InputError, UndecodableVideo."""
    if path.is_dir():
        pictures = sorted(p for p in path.rglob("*") if p.suffix.lower() in PICTURES)
        if not pictures:
            raise InputError(f"{path} holds no picture ({', '.join(sorted(PICTURES))})")
        return PictureSource(path, pictures, step, limit)
    if not path.is_file():
        raise InputError(f"{path} is not there; give a video, a picture or a folder of pictures")
    if path.suffix.lower() in PICTURES:
        return PictureSource(path.parent, [path])
    return VideoSource(path, step, limit)


def group_of(name: str) -> str:
    """`v01_002075` -> `v01`; a name without a number at its end is its own group."""
    return _TRAILING_NUMBER.sub("", name) or name


def _number_name(number: int) -> str:
    return f"{number:08d}"


def _picture_name(root: Path, path: Path) -> str:
    return "_".join(path.relative_to(root).with_suffix("").parts)
