"""What goes wrong in front of and inside an endoscope, on RGB uint8 frames, at three severities.

Defocus, motion, noise and JPEG follow Hendrycks and Dietterich, 2019 ("Benchmarking neural network robustness to common
corruptions and perturbations", ImageNet-C): severities 1, 2, 3 here are their 1, 3, 5. They blurred pictures of 224
pixels, so lengths grow here with the frame's shorter side / 224; noise belongs to the pixel and JPEG to the file, so
both stay as they are. Smoke, low light and specular highlights are of surgery and have recipes of their own, below.
Everything random comes from the seed, the corruption, the severity and the frame's id: the same frame is always hurt
alike, whatever was scored before it.
"""

import zlib
from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from service.imaging.geometry import U8
from training.datasets.synthetic.noise import fractal_field

F32 = NDArray[np.float32]
Generator = np.random.Generator

SEVERITIES = (1, 2, 3)

_SMOKE = (0.3, 0.5, 0.65)
"""Mean share of the scene's light that the veil replaces."""
_SMOKE_TONE = 205.0
_DEFOCUS = ((3, 0.1), (6, 0.5), (10, 0.5))
"""Radius of the disk and sigma of the anti-aliasing blur, pixels at 224."""
_MOTION = ((10, 3), (15, 8), (20, 15))
"""Radius and sigma of the one-sided Gaussian, pixels at 224."""
_STOPS = (1.5, 2.5, 3.5)
"""Low light: photographic stops of exposure lost."""
_FULL_WELL = 4000.0
"""Low light: photons of a white pixel at full exposure; the fewer are left, the more the frame is shot noise."""
_GAMMA = 2.2
_HIGHLIGHTS = (0.004, 0.012, 0.03)
"""Share of the frame that reflections cover, before their halo."""
_NOISE = (0.08, 0.18, 0.38)
"""Standard deviation as a share of white."""
_JPEG = (25, 15, 7)
"""Quality."""
_DARK = 16
"""Pixels below this in every channel are the black surround of a circular view, where no light falls."""


def corrupt(rgb: U8, corruption: str, severity: int, *, seed: int = 1, frame_id: str = "") -> U8:
    """RGB uint8 [H, W, 3] -> a worse copy of it. Raises ValueError for what is none of CORRUPTIONS and SEVERITIES."""
    if corruption not in CORRUPTIONS or severity not in SEVERITIES:
        raise ValueError(f"no corruption {corruption!r} of severity {severity}; there are {list(CORRUPTIONS)}, 1 to 3")
    key = zlib.crc32(f"{corruption}/{severity}/{frame_id}".encode())
    return CORRUPTIONS[corruption](rgb, severity - 1, np.random.default_rng([seed, key]))


def _smoke(rgb: U8, level: int, rng: Generator) -> U8:
    """A veil of uneven density: scene x (1 - veil) + airlight x veil (Koschmieder's law), density a fractal field."""
    height, width = rgb.shape[:2]
    field = fractal_field(rng, height, width, cells=3, octaves=5, gain=0.55)
    veil = np.clip(_SMOKE[level] * (1 + 0.3 * field), 0, 0.9) * _lit(rgb)
    return _rounded(rgb * (1 - veil[..., None]) + _SMOKE_TONE * veil[..., None])


def _defocus(rgb: U8, level: int, _: Generator) -> U8:
    """A disk, as a lens out of focus spreads a point."""
    radius, alias_sigma = _DEFOCUS[level]
    scaled = radius * _scale(rgb)
    reach = int(np.ceil(scaled))
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    disk = (x**2 + y**2 <= scaled**2).astype(np.float32)
    size = 3 if radius <= 8 else 5
    disk = np.asarray(cv2.GaussianBlur(disk, (size, size), alias_sigma), np.float32)
    return _filtered(rgb, disk)


def _motion(rgb: U8, level: int, rng: Generator) -> U8:
    """A one-sided Gaussian along a line of any direction: a camera that starts to move. Unlike in ImageNet-C the
    kernel's centre of mass lies in its middle, so that the truth stays where it was."""
    radius, sigma = (value * _scale(rgb) for value in _MOTION[level])
    angle = rng.uniform(0, 2 * np.pi)
    steps = np.arange(0, radius, 0.25)
    weights = np.exp(-0.5 * (steps / sigma) ** 2)
    steps -= np.average(steps, weights=weights)
    reach = int(np.ceil(radius))
    rows, columns = (np.rint(reach + steps * side).astype(int) for side in (np.sin(angle), np.cos(angle)))
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1), np.float32)
    np.add.at(kernel, (rows, columns), weights)
    return _filtered(rgb, kernel)


def _low_light(rgb: U8, level: int, rng: Generator) -> U8:
    """Fewer photons: linear light divided by two a stop, counted (Poisson), and not made bright again."""
    gain = 0.5 ** _STOPS[level]
    photons = (np.arange(256, dtype=np.float32) / 255) ** _GAMMA * gain * _FULL_WELL
    expected = np.asarray(cv2.LUT(rgb, photons.astype(np.float32)), np.float32)
    counted = rng.poisson(expected).astype(np.float32) / _FULL_WELL
    return _rounded(255 * np.minimum(counted, 1) ** (1 / _GAMMA))


def _highlights(rgb: U8, level: int, rng: Generator) -> U8:
    """Wet tissue that mirrors the lamp: small saturated ellipses with a soft halo, where light falls."""
    height, width = rgb.shape[:2]
    lit = _lit(rgb)
    spots = np.zeros((height, width), np.uint8)
    wanted, size = _HIGHLIGHTS[level] * height * width, 0.012 * min(height, width)
    drawn = 0.0
    while drawn < wanted:
        long = size * rng.lognormal(0, 0.5)
        short = long * rng.uniform(0.25, 0.9)
        place = (int(rng.integers(0, width)), int(rng.integers(0, height)))
        axes = (max(1, round(long)), max(1, round(short)))
        cv2.ellipse(spots, place, axes, float(rng.uniform(0, 180)), 0, 360, 255, -1, cv2.LINE_AA)
        drawn += np.pi * long * short
    halo = cv2.GaussianBlur(spots, (0, 0), 2.0 * size).astype(np.float32) * 1.2
    light = np.maximum(cv2.GaussianBlur(spots, (0, 0), max(0.7, 0.1 * size)).astype(np.float32), halo)
    share = np.clip(light / 255, 0, 1) * lit
    return _rounded(rgb * (1 - share[..., None]) + 255 * share[..., None])


def _noise(rgb: U8, level: int, rng: Generator) -> U8:
    """Gaussian noise of each pixel and channel."""
    deviations = rng.standard_normal(rgb.shape, dtype=np.float32) * np.float32(255 * _NOISE[level])
    return _rounded(rgb + deviations)


def _jpeg(rgb: U8, level: int, _: Generator) -> U8:
    bgr = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
    encoded = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, _JPEG[level]])[1]
    decoded = np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR), np.uint8)
    return np.asarray(cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB), np.uint8)


def _lit(rgb: U8) -> F32:
    """1 where the scope's light falls, 0 in a black surround, soft between, float32 [H, W]."""
    seen = (rgb.max(axis=2) >= _DARK).astype(np.float32)
    share = cv2.GaussianBlur(seen, (0, 0), 0.03 * min(seen.shape))
    return np.asarray(np.clip(4 * share - 1, 0, 1), np.float32)


def _scale(rgb: U8) -> float:
    return float(min(rgb.shape[0], rgb.shape[1])) / 224


def _filtered(rgb: U8, kernel: F32) -> U8:
    return np.asarray(cv2.filter2D(rgb, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REFLECT_101), np.uint8)


def _rounded(values: NDArray[np.floating]) -> U8:
    return np.asarray(np.clip(np.rint(values), 0, 255), np.uint8)


CORRUPTIONS: dict[str, Callable[[U8, int, Generator], U8]] = {
    "smoke": _smoke,
    "defocus blur": _defocus,
    "motion blur": _motion,
    "low light": _low_light,
    "specular highlights": _highlights,
    "sensor noise": _noise,
    "JPEG": _jpeg,
}
