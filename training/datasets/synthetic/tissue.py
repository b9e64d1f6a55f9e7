"""The background: tissue of several kinds that overlap, shaded by the scope's light, with vessels, blood and gloss."""

from dataclasses import dataclass

import cv2
import numpy as np

from training.datasets.synthetic.noise import Bytes, Floats, bend, fractal_field, lobule_field, smooth_field

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
    Material((176, 98, 36), (246, 196, 112), relief=0.6, lobules=1.0, vessels=0.5),  # fat
    Material((178, 106, 60), (238, 182, 124), relief=0.7, lobules=0.4, vessels=0.9),  # mesentery
    Material((150, 84, 84), (232, 178, 170), relief=0.5, vessels=1.0),  # peritoneum
    Material((160, 78, 70), (228, 150, 134), relief=0.8, lobules=0.3, vessels=0.7),  # bowel
    Material((70, 22, 20), (148, 62, 52), relief=0.35, vessels=0.0, gloss=1.3),  # liver
    Material((122, 34, 34), (206, 100, 88), relief=0.9, vessels=0.4),  # muscle
    Material((92, 10, 12), (190, 44, 38), relief=1.1, vessels=0.2, gloss=1.5),  # raw, bleeding
    Material((116, 100, 88), (196, 182, 164), relief=0.3, vessels=0.9),  # gallbladder, serosa
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
    slope_x = cv2.Sobel(relief.height, cv2.CV_32F, 1, 0, scale=1 / 8)
    slope_y = cv2.Sobel(relief.height, cv2.CV_32F, 0, 1, scale=1 / 8)
    shade = _diffuse(rng, slope_x, slope_y) * _cavities(rng, small_height, small_width)
    colour = np.clip(relief.colour * shade[..., None] * 255.0, 0, 255).astype(np.uint8)
    gloss = _gloss(rng, slope_x, slope_y, relief.wet * shade)
    size = (width, height)
    large = cv2.resize(colour, size, interpolation=cv2.INTER_CUBIC)
    return Tissue(_add_grain(rng, large), cv2.resize(gloss, size, interpolation=cv2.INTER_CUBIC))


def _stack_materials(rng: np.random.Generator, height: int, width: int) -> _Relief:
    """Two to four materials, each laid over the last with a rounded rim and a crease beneath it."""
    kinds = rng.choice(len(MATERIALS), size=rng.integers(2, 5), p=_FREQUENCY / _FREQUENCY.sum())
    base = _material(rng, MATERIALS[kinds[0]], height, width)
    for kind in kinds[1:]:
        over = _material(rng, MATERIALS[kind], height, width)
        edge = fractal_field(rng, height, width, rng.uniform(1.2, 4.0), 3, gain=0.35) - np.float32(rng.uniform(0, 0.9))
        edge = bend(rng, edge, 6.0, 0.02 * width)
        cover = np.clip(edge * np.float32(rng.uniform(6, 24)), 0.0, 1.0)
        crease = np.exp(-np.square(np.minimum(edge, 0.0) * np.float32(9.0)))
        base.colour *= (1.0 - np.float32(rng.uniform(0.2, 0.6)) * crease)[..., None]
        rim = np.sqrt(np.clip(edge, 0.0, 0.6)) * np.float32(0.05 * width)
        cover3 = cv2.merge([cover, cover, cover])
        base.colour += (over.colour - base.colour) * cover3
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
        bumps = cv2.GaussianBlur(bumps, (0, 0), 1.2)
        relief += bumps * np.float32(0.022 * width * lobules)
        tone += np.float32(0.35 * lobules) * (bumps - 0.5)
    if kind.relief > 0.45:
        folds = fractal_field(rng, height, width, rng.uniform(2, 7), 2)
        ridge = np.exp(-np.abs(folds) * 5.0)
        relief -= ridge * np.float32(0.02 * width * kind.relief * rng.uniform(0.2, 1.0))
    np.clip(tone, 0.0, 1.0, out=tone)
    dark, light = (np.array(end, np.float32) / 255.0 for end in (kind.dark, kind.light))
    colour = dark + tone[..., None] * (light - dark)
    colour *= 1.0 + rng.normal(0, 0.06, 3).astype(np.float32)
    if kind.vessels > 0:
        _add_vessels(rng, colour, kind.vessels)
    return _Relief(colour, relief, np.full((height, width), kind.gloss, np.float32))


def _add_vessels(rng: np.random.Generator, colour: Floats, density: float) -> None:
    height, width = colour.shape[:2]
    lines = np.zeros((height, width), np.uint8)
    for _ in range(rng.poisson(9 * density)):
        start = rng.uniform((0, 0), (width, height))
        _draw_vessel(rng, lines, start, rng.uniform(0, 2 * np.pi), rng.uniform(0.6, 2.6) * width / 320, depth=0)
    strength = cv2.GaussianBlur(lines, (0, 0), rng.uniform(0.5, 1.0)).astype(np.float32) / 255.0
    stain = np.array(((0.62, 0.2, 0.22), (0.45, 0.22, 0.36), (0.75, 0.12, 0.1))[rng.integers(3)], np.float32)
    amount = (strength * np.float32(rng.uniform(0.25, 0.75)))[..., None]
    colour += (stain * colour[..., :1] * 1.1 - colour) * amount


def _draw_vessel(
    rng: np.random.Generator, lines: Bytes, start: np.ndarray, angle: float, thickness: float, depth: int
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
    pool = fractal_field(rng, height, width, rng.uniform(3, 9), 3) - np.float32(rng.uniform(0.7, 2.0))
    amount = np.clip(pool * 3.0, 0.0, 1.0)[..., None] * np.float32(rng.uniform(0.4, 0.95))
    blood = np.array((rng.uniform(0.35, 0.7), 0.04, 0.05), np.float32)
    relief.colour += (blood * (0.6 + 0.5 * relief.colour[..., :1]) - relief.colour) * amount
    relief.wet += amount[..., 0]


def _diffuse(rng: np.random.Generator, slope_x: Floats, slope_y: Floats) -> Floats:
    """Lambert's cosine for a light near the camera, a little to one side of it."""
    towards_x, towards_y = rng.uniform(-0.45, 0.45, 2).astype(np.float32)
    norm = cv2.sqrt(1.0 + slope_x * slope_x + slope_y * slope_y)
    return np.clip((1.0 - towards_x * slope_x - towards_y * slope_y) / norm, 0.12, 1.35)


def _cavities(rng: np.random.Generator, height: int, width: int) -> Floats:
    """Light that is left where the tissue lies deep: 1 near the scope down to almost nothing in a cavity."""
    depth = fractal_field(rng, height, width, rng.uniform(1.0, 2.6), 3, gain=0.4) - np.float32(rng.uniform(-0.4, 1.2))
    return np.asarray(np.exp(-np.clip(depth, 0.0, 3.0) * np.float32(rng.uniform(0.2, 1.6))), dtype=np.float32)


def _gloss(rng: np.random.Generator, slope_x: Floats, slope_y: Floats, wet: Floats) -> Bytes:
    """Mirror highlights: where the wet surface's slope throws the light back at the camera."""
    height, width = wet.shape
    ripple_x = slope_x + np.float32(0.25) * fractal_field(rng, height, width, width / 14, 2)
    ripple_y = slope_y + np.float32(0.25) * fractal_field(rng, height, width, width / 14, 2)
    across, down = np.meshgrid(np.linspace(-1, 1, width, dtype=np.float32), np.linspace(-1, 1, height, dtype=np.float32))
    tilt = np.float32(rng.uniform(0.5, 1.4))
    off_x, off_y = ripple_x - tilt * (across - rng.uniform(-0.5, 0.5)), ripple_y - tilt * (down - rng.uniform(-0.5, 0.5))
    mirror = cv2.exp((-np.float32(rng.uniform(9, 26))) * (off_x * off_x + off_y * off_y).astype(np.float32))
    patches = np.clip(0.5 + smooth_field(rng, height, width, 5.0), 0.0, 1.6)
    strength = mirror * wet * patches * np.float32(rng.uniform(150, 520))
    return np.clip(strength - 40.0, 0, 255).astype(np.uint8)


def _add_grain(rng: np.random.Generator, colour: Bytes) -> Bytes:
    height, width = colour.shape[:2]
    tile = rng.integers(0, 256, (height // 2 + 1, width // 2 + 1), dtype=np.uint8)
    grain = cv2.GaussianBlur(cv2.resize(tile, (width, height), interpolation=cv2.INTER_LINEAR), (0, 0), 0.9)
    strength = rng.uniform(0.05, 0.35)
    signed = cv2.merge([grain, grain, grain])
    grained: Bytes = cv2.addWeighted(colour, 1.0, signed, strength, -127.5 * strength)
    return grained
