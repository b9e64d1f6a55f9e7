"""The background: tissue of several kinds that overlap, shaded by the scope's light, with vessels, blood and gloss."""

from dataclasses import dataclass

import cv2
import numpy as np

from training.datasets.synthetic.noise import Bytes, Floats, Matrix, bend, fractal_field, lobule_field, smooth_field
from training.datasets.synthetic.pixels import as_bytes, as_floats, enlarged, shaded

_PAINT_SCALE = 0.5  # colour and relief are low-frequency: painted at half size, enlarged, then given fine grain


@dataclass(frozen=True)
class Material:
    """A kind of tissue: its darkest and lightest RGB, its relief, and how many vessels run over it."""

    dark: tuple[int, int, int]
    light: tuple[int, int, int]
    relief: float
    lobules: float = 0.0
    vessels: float = 0.3
    gloss: float = 1.0


MATERIALS = (
    Material((186, 94, 36), (246, 184, 100), relief=0.6, lobules=1.0, vessels=0.5),  # fat
    Material((182, 98, 62), (238, 174, 124), relief=0.7, lobules=0.4, vessels=0.9),  # mesentery
    Material((150, 84, 84), (232, 178, 170), relief=0.5, vessels=1.0),  # peritoneum
    Material((160, 78, 70), (228, 150, 134), relief=0.8, lobules=0.3, vessels=0.7),  # bowel
    Material((70, 22, 20), (148, 62, 52), relief=0.35, vessels=0.0, gloss=1.3),  # liver
    Material((122, 34, 34), (206, 100, 88), relief=0.9, vessels=0.4),  # muscle
    Material((96, 20, 20), (186, 60, 54), relief=1.1, vessels=0.2, gloss=1.5),  # raw, bleeding
    Material((128, 98, 90), (204, 176, 164), relief=0.3, vessels=0.9),  # gallbladder, serosa
    Material((46, 30, 24), (148, 106, 66), relief=1.2, lobules=0.3, vessels=0.0, gloss=0.6),  # coagulated
    Material((186, 168, 160), (240, 226, 220), relief=0.4, vessels=0.8, gloss=1.2),  # fascia
)
_FREQUENCY = np.array([4, 3, 3, 3, 3, 2.5, 1.5, 0.8, 0.5, 0.7])


@dataclass(frozen=True)
class Tissue:
    """The painted canvas: colour under full light, RGB uint8 [H, W, 3], and specular strength uint8 [H, W]."""

    colour: Bytes
    gloss: Bytes


@dataclass
class _Relief:
    """What is painted at half size: RGB 0..1 [h, w, 3], height in pixels [h, w], wetness [h, w]."""

    colour: Floats
    height: Floats
    wet: Floats


def paint_tissue(rng: np.random.Generator, height: int, width: int) -> Tissue:
    """A canvas of tissue, height x width pixels."""
    small_height, small_width = max(int(height * _PAINT_SCALE), 8), max(int(width * _PAINT_SCALE), 8)
    relief = _stack_materials(rng, small_height, small_width)
    _add_blood(rng, relief)
    slope_x = as_floats(cv2.Sobel(relief.height, cv2.CV_32F, 1, 0, scale=1 / 8))
    slope_y = as_floats(cv2.Sobel(relief.height, cv2.CV_32F, 0, 1, scale=1 / 8))
    shade = _diffuse(rng, slope_x, slope_y) * _cavities(rng, small_height, small_width)
    lit = relief.colour * shade[..., None]
    # The camera exposes for the tissue: a scene of liver is not darker than one of fat by as much as liver is.
    gain = (rng.uniform(0.3, 0.55) / max(float(lit.mean()), 0.05)) ** 0.8
    colour = as_bytes(lit * np.float32(255.0 * gain))
    gloss = _gloss(rng, slope_x, slope_y, relief.wet * shade)
    return Tissue(_with_grain(rng, enlarged(colour, height, width)), enlarged(gloss, height, width))


def _stack_materials(rng: np.random.Generator, height: int, width: int) -> _Relief:
    """Two to four materials, each laid over the last with a rounded rim and a crease beneath it."""
    kinds = rng.choice(len(MATERIALS), size=rng.integers(2, 5), p=_FREQUENCY / _FREQUENCY.sum())
    base = _material(rng, MATERIALS[kinds[0]], height, width)
    for kind in kinds[1:]:
        over = _material(rng, MATERIALS[kind], height, width)
        edge = fractal_field(rng, height, width, rng.uniform(1.2, 4.0), 3, gain=0.35) - np.float32(rng.uniform(0, 0.9))
        edge = bend(rng, edge, 6.0, 0.02 * width)
        cover = np.clip(edge * np.float32(np.exp(rng.uniform(0.7, 3.2))), 0.0, 1.0)
        crease = as_floats(cv2.exp(-np.square(np.minimum(edge, 0.0) * np.float32(rng.uniform(3, 9)))))
        base.colour = _tinted(base.colour, crease, rng.uniform(0.4, 0.9) * np.ones(3))
        rim = np.sqrt(np.clip(edge, 0.0, 0.7)) * np.float32(0.05 * width * rng.uniform(0.1, 1.0))
        base.colour = as_floats(cv2.blendLinear(over.colour, base.colour, cover, 1.0 - cover))
        base.height += (over.height + rim - base.height) * cover
        base.wet += (over.wet - base.wet) * cover
    return base


def _material(rng: np.random.Generator, kind: Material, height: int, width: int) -> _Relief:
    coarse = fractal_field(rng, height, width, rng.uniform(2, 5), 5, gain=0.5)
    relief = coarse * np.float32(0.012 * width * kind.relief)
    tone = 0.5 + 0.16 * coarse
    lobules = kind.lobules * rng.uniform(0.4, 1.0)
    if lobules > 0:
        bumps = bend(rng, lobule_field(rng, height, width, rng.uniform(7, 26)), 9.0, 0.012 * width)
        bumps = as_floats(cv2.GaussianBlur(bumps, (0, 0), 1.2))
        relief += bumps * np.float32(0.022 * width * lobules)
        tone += np.float32(0.35 * lobules) * (bumps - 0.5)
    if kind.relief > 0.45:
        folds = fractal_field(rng, height, width, rng.uniform(2, 7), 2)
        ridge = cv2.exp(np.abs(folds) * np.float32(-5.0))
        relief -= ridge * np.float32(0.02 * width * kind.relief * rng.uniform(0.2, 1.0))
    np.clip(tone, 0.0, 1.0, out=tone)
    cast = 1.0 + rng.normal(0, 0.05, 3).astype(np.float32)
    dark, light = (np.array(end, np.float32) / 255.0 * cast for end in (kind.dark, kind.light))
    colour = cv2.merge([tone * (to - start) + start for start, to in zip(dark, light, strict=True)])
    if kind.vessels > 0:
        colour = _with_vessels(rng, colour, kind.vessels)
    return _Relief(colour, relief, np.full((height, width), kind.gloss, np.float32))


def _with_vessels(rng: np.random.Generator, colour: Floats, density: float) -> Floats:
    height, width = colour.shape[:2]
    lines = np.zeros((height, width), np.uint8)
    for _ in range(rng.poisson(9 * density)):
        start = rng.uniform((0, 0), (width, height))
        _draw_vessel(rng, lines, start, rng.uniform(0, 2 * np.pi), rng.uniform(0.6, 2.6) * width / 320, depth=0)
    strength = cv2.GaussianBlur(lines, (0, 0), rng.uniform(0.5, 1.0)).astype(np.float32) / 255.0
    stain = np.array(((0.9, 0.4, 0.42), (0.62, 0.4, 0.55), (0.85, 0.3, 0.25))[rng.integers(3)])
    return _tinted(colour, strength, 1.0 - (1.0 - stain) * rng.uniform(0.4, 1.1))


def _tinted(colour: Floats, amount: Floats, stain: Matrix) -> Floats:
    """`colour` [h, w, 3] multiplied by the RGB `stain` where `amount` [h, w] is 1, unchanged where it is 0."""
    return as_floats(cv2.multiply(colour, cv2.merge([1.0 - amount * np.float32(1.0 - part) for part in stain])))


def _draw_vessel(
    rng: np.random.Generator, lines: Bytes, start: Matrix, angle: float, thickness: float, depth: int
) -> None:
    """A branching random walk, thinner with every fork."""
    steps = int(rng.integers(6, 16))
    turns = angle + np.cumsum(rng.normal(0, 0.28, steps))
    stride = 0.025 * lines.shape[1]
    path = start + np.cumsum(np.stack([np.cos(turns), np.sin(turns)], axis=1) * stride, axis=0)
    value = int(np.clip(110 + 60 * thickness, 80, 255))
    points = np.round(path * 8).astype(np.int32)
    cv2.polylines(lines, [points], False, value, max(1, round(thickness)), cv2.LINE_AA, shift=3)
    if depth < 2:
        for fork in rng.choice(steps, size=2, replace=False):
            side = turns[fork] + rng.choice((-1, 1)) * rng.uniform(0.4, 1.0)
            _draw_vessel(rng, lines, path[fork], float(side), thickness * 0.6, depth + 1)


def _add_blood(rng: np.random.Generator, relief: _Relief) -> None:
    if rng.random() > 0.45:
        return
    height, width = relief.height.shape
    pool = fractal_field(rng, height, width, rng.uniform(2, 9), 5, gain=0.6) - np.float32(rng.uniform(0.6, 2.2))
    amount = np.clip(pool * np.float32(rng.uniform(1, 4)), 0.0, 1.0) * np.float32(rng.uniform(0.4, 1.0))
    relief.colour = _tinted(relief.colour, amount, np.array((rng.uniform(0.5, 0.95), 0.1, 0.12)))
    relief.wet += amount


def _diffuse(rng: np.random.Generator, slope_x: Floats, slope_y: Floats) -> Floats:
    """Lambert's cosine for a light near the camera, a little to one side of it."""
    towards_x, towards_y = rng.uniform(-0.45, 0.45, 2).astype(np.float32)
    norm = cv2.sqrt(1.0 + 0.6 * (slope_x * slope_x + slope_y * slope_y))
    shade = (1.0 - towards_x * slope_x - towards_y * slope_y) / norm
    # Tissue scatters light inside itself: no slope turns black.
    return np.asarray(np.clip(0.3 + 0.7 * shade, 0.3, 1.3), dtype=np.float32)


def _cavities(rng: np.random.Generator, height: int, width: int) -> Floats:
    """Light that is left where the tissue lies deep: 1 near the scope down to almost nothing in a cavity."""
    depth = fractal_field(rng, height, width, rng.uniform(1.0, 2.6), 3, gain=0.4) - np.float32(rng.uniform(0.2, 1.5))
    return np.asarray(cv2.exp(np.clip(depth, 0.0, 3.0) * np.float32(-rng.uniform(0.2, 1.8))), dtype=np.float32)


def _gloss(rng: np.random.Generator, slope_x: Floats, slope_y: Floats, wet: Floats) -> Bytes:
    """Mirror highlights: where the wet surface's slope throws the light back at the camera."""
    height, width = wet.shape
    ripple, fineness = np.float32(rng.uniform(0.15, 0.7)), width / np.exp(rng.uniform(0.9, 2.6))
    across, down = (np.linspace(-1, 1, side, dtype=np.float32) for side in (width, height))
    tilt, centre = np.float32(rng.uniform(0.3, 1.2)), rng.uniform(-0.5, 0.5, 2).astype(np.float32)
    off_x = slope_x + ripple * smooth_field(rng, height, width, fineness) - tilt * (across - centre[0])
    off_y = slope_y + ripple * smooth_field(rng, height, width, fineness) - tilt * (down - centre[1])[:, None]
    mirror = cv2.exp((off_x * off_x + off_y * off_y) * np.float32(-rng.uniform(12, 40)))
    patches = np.clip(0.1 + smooth_field(rng, height, width, rng.uniform(3, 9)), 0.0, 1.3)
    strength = mirror * wet * patches * np.float32(rng.uniform(60, 480))
    return as_bytes(strength - 30.0)


def _with_grain(rng: np.random.Generator, colour: Bytes) -> Bytes:
    """Fine structure at the canvas's full size, darker and lighter in proportion to the colour beneath."""
    height, width = colour.shape[:2]
    texture = fractal_field(rng, height, width, width / rng.uniform(5, 20), 3, gain=0.8)
    return shaded(colour, as_bytes(128 + texture * np.float32(rng.uniform(1, 7))), full=128)
