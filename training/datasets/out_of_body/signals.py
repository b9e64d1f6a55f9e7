"""Frames that no scene made: an input without a signal, test bars, a sensor's noise, the screen of a device."""

import cv2
import numpy as np

from training.datasets.synthetic.noise import Bytes
from training.datasets.synthetic.pixels import as_bytes, enlarged

_PLAIN = ((0, 0, 0), (0, 0, 160), (110, 110, 110), (240, 240, 240), (0, 90, 0))
_BARS = ((192, 192, 192), (192, 192, 0), (0, 192, 192), (0, 192, 0), (192, 0, 192), (192, 0, 0), (0, 0, 192), (16,) * 3)
_WORDS = (
    "NO SIGNAL",
    "HDMI 1",
    "STANDBY",
    "REC 00:00:00",
    "WHITE BALANCE",
    "PATIENT DATA",
    "INPUT 2",
    "120/80",
    "98 %",
)


def blank(rng: np.random.Generator, height: int, width: int) -> Bytes:
    """One colour, in every second frame with a word on it."""
    picture = np.full((height, width, 3), _PLAIN[rng.integers(len(_PLAIN))], np.uint8)
    if rng.random() < 0.5:
        _write(rng, picture, 1)
    return picture


def bars(rng: np.random.Generator, height: int, width: int) -> Bytes:
    """Colour bars, upright, above a staircase of greys and sometimes in another order."""
    order = rng.permutation(len(_BARS)) if rng.random() < 0.3 else np.arange(len(_BARS))
    level = float(rng.uniform(0.6, 1.3))
    colours = np.array(_BARS, np.float32)[order] * level
    columns = np.arange(width) * len(_BARS) // width
    picture = np.repeat(colours[columns][None], height, axis=0)
    top = int(height * rng.uniform(0.6, 1.0))
    picture[top:] = (np.arange(width) * 11 // width * 25)[None, :, None]
    return as_bytes(picture)


def sensor_noise(rng: np.random.Generator, height: int, width: int) -> Bytes:
    """A sensor in the dark at a high gain: coarse coloured noise, brighter rows, a glow in a corner."""
    grain = int(rng.integers(1, 4))
    small = rng.normal(0, rng.uniform(8, 45), (height // grain + 1, width // grain + 1, 3))
    small += rng.uniform(5, 70) + rng.normal(0, rng.uniform(0, 6), (small.shape[0], 1, 1))
    picture = cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR if grain > 2 else cv2.INTER_NEAREST)
    glow = np.hypot(*np.ogrid[:height, :width]) / max(height, width)
    return as_bytes(picture + (60 * np.exp(-4 * glow))[..., None] * rng.random())


def screen(rng: np.random.Generator, height: int, width: int) -> Bytes:
    """A device's screen: panels, lines of text, and the curves of a monitor."""
    bright = rng.random() < 0.4
    picture = np.full((height, width, 3), rng.integers(200, 250) if bright else rng.integers(0, 40), np.uint8)
    for _ in range(rng.integers(2, 7)):
        corner = (int(rng.integers(0, width)), int(rng.integers(0, height)))
        size = (int(rng.integers(width // 8, width // 2)), int(rng.integers(height // 12, height // 3)))
        colour = rng.integers(0, 256, 3).tolist()
        cv2.rectangle(picture, corner, (corner[0] + size[0], corner[1] + size[1]), colour, int(rng.choice((-1, 1, 3))))
    for _ in range(rng.integers(0, 4)):
        _draw_curve(rng, picture)
    _write(rng, picture, int(rng.integers(3, 12)))
    return picture


def interlaced(rng: np.random.Generator, height: int, width: int) -> Bytes:
    """A signal that does not hold: blocks and torn rows of whatever was last decoded."""
    blocks = rng.integers(0, 256, (int(rng.integers(4, 20)), int(rng.integers(4, 30)), 3), dtype=np.uint8)
    smooth = rng.random() < 0.3
    picture = cv2.resize(blocks, (width, height), interpolation=cv2.INTER_NEAREST)
    picture = enlarged(blocks, height, width) if smooth else as_bytes(picture)
    for row in rng.integers(0, height, 12):
        thick = int(rng.integers(1, 12))
        picture[row : row + thick] = np.roll(picture[row : row + thick], int(rng.integers(width)), axis=1)
    return picture


def _draw_curve(rng: np.random.Generator, picture: Bytes) -> None:
    height, width = picture.shape[:2]
    x = np.arange(width)
    beat = np.exp(-(((x + rng.integers(200)) % int(rng.integers(60, 160)) - 30) ** 2) / 60)
    y = rng.uniform(0.1, 0.9) * height - beat * height * rng.uniform(0.05, 0.2) + 2 * np.sin(x / 9)
    points = np.stack([x, y], axis=1).astype(np.int32)
    cv2.polylines(picture, [points], False, rng.integers(80, 256, 3).tolist(), int(rng.integers(1, 4)), cv2.LINE_AA)


def _write(rng: np.random.Generator, picture: Bytes, lines: int) -> None:
    height, width = picture.shape[:2]
    for _ in range(lines):
        place = (int(rng.integers(0, width * 2 // 3)), int(rng.integers(20, height)))
        word = _WORDS[rng.integers(len(_WORDS))]
        colour = [int(rng.choice((0, 255)))] * 3 if rng.random() < 0.6 else rng.integers(0, 256, 3).tolist()
        font, size = cv2.FONT_HERSHEY_SIMPLEX, float(rng.uniform(0.4, 1.6))
        cv2.putText(picture, word, place, font, size, colour, int(rng.integers(1, 4)), cv2.LINE_AA)
