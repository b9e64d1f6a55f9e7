"""What every part of the suite gets: how much to do, where to work, what is measured."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np

from benchmarks.machine import ROOT
from service.cli.segment import newest_package
from service.imaging.codecs import decode, encode_jpeg
from service.manifest.package import Package
from service.settings import Settings

FRAME_SIZES = ((854, 480), (1920, 1080))
"""Width and height of the frames that are sent."""


@dataclass(frozen=True, slots=True)
class Scale:
    """How much is measured. Seconds are of one measurement; every round has one of each."""

    rounds: int
    seconds: float
    warm_up_seconds: float
    clip_seconds: int
    starts: int


FULL = Scale(rounds=3, seconds=2.5, warm_up_seconds=1.5, clip_seconds=20, starts=5)
QUICK = Scale(rounds=1, seconds=0.5, warm_up_seconds=0.2, clip_seconds=4, starts=2)


@dataclass(frozen=True)
class Bench:
    """One run of the suite. `folder` keeps what is worth keeping between runs: clips, frames, environments."""

    scale: Scale
    folder: Path
    quick: bool = False
    say: Callable[[str], None] = field(default=print)

    @cached_property
    def settings(self) -> Settings:
        """As a user has them, but for the data folder, where the choice of a backend is remembered."""
        return Settings(data_dir=self.folder / "data", models_dir=Settings().models_dir.resolve())

    @cached_property
    def package(self) -> Package:
        """The newest version of the default model."""
        return newest_package(self.settings, None)

    def jpeg(self, size: tuple[int, int]) -> bytes:
        """The example frame at a width and height; made once, the same bytes for all."""
        example = ROOT / "examples/frame.jpg"
        kept = self.folder / "frames" / f"{name_of(size)}.jpg"
        if not kept.exists():
            kept.parent.mkdir(parents=True, exist_ok=True)
            kept.write_bytes(_resized(example.read_bytes(), size))
        return kept.read_bytes()


def name_of(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"


def _resized(jpeg: bytes, size: tuple[int, int]) -> bytes:
    """The JPEG itself when it has the size already."""
    picture = decode(jpeg, content_type="image/jpeg", max_megapixels=50)
    if picture.shape[1::-1] == size:
        return jpeg
    return encode_jpeg(np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_CUBIC), np.uint8))
