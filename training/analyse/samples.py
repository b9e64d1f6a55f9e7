"""Frames that stand for a series: evenly spread, and the most and least covered."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from service.imaging.geometry import U8
from service.imaging.overlay import draw
from service.manifest.entries import ClassEntry
from training.analyse.masks import MaskFolder
from training.predict.source import open_source

PANELS = 8
_WIDTH = 420
_OPACITY = 0.4
_BLANK = 236


def choose_samples(coverage: Sequence[float], count: int = PANELS) -> list[int]:
    """Places in a series: evenly spread over the frames that show something, in order; over all where few do."""
    seen = [place for place, value in enumerate(coverage) if value > 0]
    pool = seen if len(seen) >= count else list(range(len(coverage)))
    return [pool[place] for place in sorted({round(p) for p in np.linspace(0, len(pool) - 1, count).tolist()})]


def draw_samples(folder: MaskFolder, names: Sequence[str], frames: Path | None) -> list[U8]:
    """Small RGB uint8 [h, w, 3] pictures, one a name; on light grey where the frames are not at hand."""
    images = _read_frames(frames, names) if frames else {}
    return [_draw(images.get(name), folder.read(name).labels, folder.classes) for name in names]


def _read_frames(path: Path, names: Sequence[str]) -> dict[str, U8]:
    """Jumps to the wanted frames where the names are a video's indexes; pictures by name."""
    wanted = set(names)
    return {frame.name: frame.image for frame in open_source(path).only(wanted).frames()}


def _draw(image: U8 | None, labels: U8, classes: list[ClassEntry]) -> U8:
    if image is None:
        image = np.full((*labels.shape, 3), _BLANK, np.uint8)
    if image.shape[:2] != labels.shape:
        image = np.asarray(cv2.resize(image, labels.shape[::-1], interpolation=cv2.INTER_AREA), np.uint8)
    drawn = draw(image, labels, [entry.rgb for entry in classes], _OPACITY)
    scale = min(1.0, _WIDTH / drawn.shape[1])
    size = max(1, round(drawn.shape[1] * scale)), max(1, round(drawn.shape[0] * scale))
    return np.asarray(cv2.resize(drawn, size, interpolation=cv2.INTER_AREA), np.uint8)
