"""Sprites of an instrument's parts, drawn along the x axis: a round shaft, and metal tips of several makes.

Units: the shaft's diameter is 1; sprites have `scale` pixels a diameter. A sprite is premultiplied RGBA uint8 [h, w, 4];
its origin (0, 0) is where the tip joins the shaft, x runs towards the tissue, y across.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from training.datasets.synthetic.noise import Bytes, Floats, smooth_field

_TINTS = (  # RGB of shafts as seen: black, graphite, steel, bright steel, blue-grey, light grey, beige
    ((24, 25, 28), 3.0),
    ((58, 60, 64), 2.5),
    ((118, 120, 122), 2.0),
    ((176, 176, 172), 1.5),
    ((66, 78, 96), 1.0),
    ((206, 206, 202), 0.7),
    ((150, 132, 112), 0.3),
)
_WORDS = ("ENDO", "LAPARO 5mm", "FLEX", "GRIP II", "SURG", "MIS 330", "ERGO-LINE", "TIP 10")
KINDS = ("grasper", "dissector", "scissors", "fenestrated", "hook", "sucker", "sealer", "wristed")
_KIND_FREQUENCY = np.array([3, 3, 2, 2, 1.5, 1, 1.5, 3])


@dataclass(frozen=True)
class Look:
    """What does not change while an instrument is used: its make, its metal, its shaft."""

    kind: str
    scale: float
    shaft: Bytes
    shaft_length: float
    jaw_length: float
    clevis_length: float
    metal: Floats
    tint: Floats
    max_opening: float


@dataclass(frozen=True)
class Sprite:
    """Premultiplied RGBA uint8 [h, w, 4]; `origin` is the pixel (x, y) of the joint with the shaft."""

    pixels: Bytes
    origin: tuple[float, float]


def choose_look(rng: np.random.Generator, scale: float, shaft_length: float) -> Look:
    """Draw an instrument; `scale` is its diameter at the tip in pixels, `shaft_length` is in diameters."""
    kind = str(rng.choice(KINDS, p=_KIND_FREQUENCY / _KIND_FREQUENCY.sum()))
    weights = np.array([weight for _, weight in _TINTS])
    shaft_tint = np.array(_TINTS[rng.choice(len(_TINTS), p=weights / weights.sum())][0], np.float32)
    shaft_tint = shaft_tint * np.float32(rng.uniform(0.75, 1.25)) + rng.normal(0, 3, 3).astype(np.float32)
    dark_tip = rng.random() < 0.2
    tint = np.array((1.0, 0.99, 0.96), np.float32) * np.float32(rng.uniform(60, 110) if dark_tip else rng.uniform(125, 215))
    wristed = kind == "wristed"
    return Look(
        kind=kind,
        scale=scale,
        shaft=_draw_shaft(rng, np.clip(shaft_tint, 6, 235), scale, shaft_length),
        shaft_length=shaft_length,
        jaw_length=float(rng.uniform(0.9, 1.5) if wristed else rng.uniform(1.3, 3.0)),
        clevis_length=float(rng.uniform(1.0, 1.6) if wristed else rng.uniform(0.3, 1.1)),
        metal=_metal_curve(rng),
        tint=tint,
        max_opening=float(rng.uniform(0.25, 0.75)),
    )


def _metal_curve(rng: np.random.Generator) -> Floats:
    """Brightness over the tilt of a metal surface, float32 [256]: dark and bright bands, as in a mirrored room."""
    tilt = np.linspace(-1, 1, 256, dtype=np.float32)
    curve = 0.35 + 0.5 * np.sqrt(1 - 0.95 * tilt * tilt)
    for _ in range(4):
        centre, spread = rng.uniform(-0.8, 0.8), rng.uniform(0.05, 0.3)
        curve += np.float32(rng.uniform(-0.45, 0.75)) * np.exp(-np.square((tilt - centre) / spread))
    return np.asarray(np.clip(curve, 0.08, 1.8), dtype=np.float32)


def _draw_shaft(rng: np.random.Generator, tint: Floats, scale: float, length: float) -> Bytes:
    """RGBA [h, w, 4] of the tube, w = length and h = 1 diameter: shaded across, worn, banded, lettered along."""
    height, width = max(6, round(scale)), max(8, round(scale * length))
    paint = np.empty((height, width, 3), np.float32)
    paint[:] = tint
    _add_rings(rng, paint, scale)
    if rng.random() < 0.45:
        _add_lettering(rng, paint, scale)
    across = np.linspace(-1, 1, height, dtype=np.float32)
    light_at = rng.uniform(-0.45, 0.45)
    round_shade = np.sqrt(np.clip(1 - np.square((across - light_at) / (1.12 + abs(light_at))), 0.02, 1))
    line = np.exp(-np.square((across - light_at * 1.4) / rng.uniform(0.05, 0.22)))
    gloss = rng.uniform(0.05, 0.9)
    falloff = np.linspace(rng.uniform(0.6, 1.35), 1.0, width, dtype=np.float32)
    wear = 1.0 + 0.06 * smooth_field(rng, height, width, max(width / 24, 3))
    shade = (0.12 + 0.88 * round_shade)[:, None] * falloff[None] * wear
    shine = (line * gloss)[:, None] * falloff[None] * np.clip(0.7 + 0.4 * smooth_field(rng, height, width, 4), 0, 1.5)
    lit = paint * shade[..., None] + (30 + 0.75 * paint) * shine[..., None]
    rim = np.clip(np.abs(across) * 3 - 2, 0, 1)[:, None, None]  # the tissue mirrors in the flanks
    lit += rim * np.array((34, 12, 8), np.float32) * np.float32(rng.uniform(0, 1.2))
    alpha = np.full((height, width, 1), 255, np.float32)
    return np.asarray(np.clip(np.concatenate([lit, alpha], axis=2), 0, 255), dtype=np.uint8)


def _add_rings(rng: np.random.Generator, paint: Floats, scale: float) -> None:
    """Bands round the shaft: a collar at the tip's end, depth marks."""
    width = paint.shape[1]
    if rng.random() < 0.55:
        collar = int(rng.uniform(0.15, 0.9) * scale)
        paint[:, max(0, width - collar) :] = rng.uniform(90, 210)
    for _ in range(int(rng.integers(0, 4))):
        start = int(width - rng.uniform(0.3, 6) * scale)
        paint[:, max(0, start) : max(0, start + int(rng.uniform(0.04, 0.25) * scale) + 1)] *= rng.choice((0.35, 0.6, 1.7))
    np.clip(paint, 4, 245, out=paint)


def _add_lettering(rng: np.random.Generator, paint: Floats, scale: float) -> None:
    size, thick = 0.019 * scale * rng.uniform(0.7, 1.2), max(1, round(scale * 0.05))
    ink = 235.0 if paint.mean() < 120 else 30.0
    place = (int(paint.shape[1] - rng.uniform(3.5, 7.5) * scale), int(scale * rng.uniform(0.62, 0.75)))
    layer = np.zeros(paint.shape[:2], np.uint8)
    cv2.putText(layer, str(rng.choice(_WORDS)), place, cv2.FONT_HERSHEY_SIMPLEX, size, 255, thick, cv2.LINE_AA)
    amount = layer.astype(np.float32)[..., None] / 255.0
    paint += (ink - paint) * amount


def draw_tip(look: Look, opening: float) -> Sprite:
    """The tip with its jaws `opening` (0 closed to 1 wide) apart."""
    scale = look.scale
    reach = look.clevis_length + look.jaw_length + 0.3
    spread = max(0.75, 0.6 + look.jaw_length * np.sin(look.max_opening) + 0.25)
    origin = (0.25 * scale + 2.0, spread * scale + 2.0)
    size = (int(origin[1] * 2), int(origin[0] + reach * scale + 3))
    layers = [
        _shade_metal(_fill(outline, holes, size, origin, scale), look, seed)
        for seed, (outline, holes) in enumerate(_outlines(look, opening * look.max_opening))
    ]
    pixels = layers[0]
    for layer in layers[1:]:
        keep = (255 - layer[..., 3:]).astype(np.uint16)
        pixels = (layer + (pixels * keep // 255).astype(np.uint8)).astype(np.uint8)
    return Sprite(pixels, origin)


def _fill(outline: Floats, holes: list[Floats], size: tuple[int, int], origin: tuple[float, float], scale: float) -> Bytes:
    """Coverage uint8 of a polygon given in diameters, less its holes."""
    alpha = np.zeros(size, np.uint8)
    for points, value in [(outline, 255), *((hole, 0) for hole in holes)]:
        corners = np.round((points * scale + np.asarray(origin)) * 16).astype(np.int32)
        cv2.fillPoly(alpha, [corners], value, cv2.LINE_AA, shift=4)
    return alpha


def _shade_metal(alpha: Bytes, look: Look, part: int) -> Bytes:
    """A solid of that silhouette, rounded towards its edge, mirroring a room of light and dark bands."""
    inside = cv2.distanceTransform((alpha > 127).astype(np.uint8), cv2.DIST_L2, 3)
    rounding = np.float32(0.28 * look.scale)
    height = np.sqrt(np.clip(inside / rounding, 0, 1)) * rounding
    height = cv2.GaussianBlur(height, (0, 0), max(0.6, 0.03 * look.scale))
    slope_y = cv2.Sobel(height, cv2.CV_32F, 0, 1, scale=1 / 8)
    slope_x = cv2.Sobel(height, cv2.CV_32F, 1, 0, scale=1 / 8)
    tilt = np.clip((slope_y + 0.45 * slope_x) * 90 + 127.5 + 11 * part, 0, 255).astype(np.uint8)
    bright = cv2.LUT(tilt, look.metal)
    rng = np.random.default_rng(part)
    bright *= 1 + 0.1 * smooth_field(rng, *alpha.shape, cells=9)
    colour = np.clip(bright[..., None] * look.tint, 0, 255) * (alpha[..., None] / np.float32(255))
    return np.concatenate([colour.astype(np.uint8), alpha[..., None]], axis=2)


def _outlines(look: Look, angle: float) -> list[tuple[Floats, list[Floats]]]:
    """Parts from back to front, each (outline, holes) in diameters."""
    clevis, jaw = look.clevis_length, look.jaw_length
    neck = 0.36 if look.kind in {"hook", "dissector"} else 0.44
    body = np.array([(-0.2, -0.5), (0.1, -0.5), (clevis, -neck), (clevis + 0.12, -neck * 0.6), (clevis + 0.12, neck * 0.6), (clevis, neck), (0.1, 0.5), (-0.2, 0.5)])
    if look.kind == "hook":
        rod = np.array([(0, -0.14), (jaw, -0.14), (jaw + 0.14, 0.0), (jaw + 0.1, 0.62), (jaw - 0.1, 0.62), (jaw - 0.14, 0.14), (0, 0.14)])
        return [(_f32(rod + (clevis, 0)), []), (_f32(body), [])]
    if look.kind == "sucker":
        tube = np.array([(-0.1, -0.42), (jaw, -0.36), (jaw + 0.1, -0.2), (jaw + 0.1, 0.2), (jaw, 0.36), (-0.1, 0.42)])
        holes = [_disc(clevis + jaw * at, side, 0.07) for at, side in ((0.9, -0.1), (0.75, 0.15), (0.6, -0.12))]
        return [(_f32(tube + (clevis, 0)), holes), (_f32(body), [])]
    upper, holes = _jaw(look.kind, jaw)
    parts = []
    for side in (-1, 1):
        turn = np.array([[np.cos(angle), side * np.sin(angle)], [-side * np.sin(angle), np.cos(angle)]])
        flip = np.array((1, side))
        parts.append((_f32((upper * flip) @ turn.T * (1, 1) + (clevis, 0)), [_f32((hole * flip) @ turn.T + (clevis, 0)) for hole in holes]))
    return [*parts, (_f32(body), []), (_disc(clevis - 0.12, 0.0, 0.17), [])]


def _jaw(kind: str, length: float) -> tuple[Floats, list[Floats]]:
    """The jaw on the side y > 0, closed, hinge at the origin: outline and holes."""
    back = {
        "grasper": [(0.0, 0.42), (0.55, 0.36), (0.92, 0.28), (1.0, 0.1)],
        "fenestrated": [(0.0, 0.42), (0.5, 0.44), (0.9, 0.4), (1.0, 0.14)],
        "dissector": [(0.0, 0.36), (0.4, 0.28), (0.75, 0.3), (0.96, 0.42), (1.0, 0.32)],
        "scissors": [(0.0, 0.42), (0.4, 0.34), (0.8, 0.2), (1.0, 0.02)],
        "sealer": [(0.0, 0.44), (0.7, 0.42), (0.95, 0.34), (1.0, 0.12)],
        "wristed": [(0.0, 0.4), (0.3, 0.34), (0.8, 0.22), (1.0, 0.1)],
    }[kind]
    inner = [(0.8, 0.1), (0.4, 0.02), (-0.08, -0.1)] if kind == "dissector" else [(0.5, 0.0), (-0.08, -0.1)]
    outline = [(-0.08, 0.3), *((x * length, y) for x, y in back), *((x * length, y) for x, y in inner)]
    holes: list[Floats] = []
    if kind == "fenestrated":
        holes = [_f32(np.array([(0.35, 0.13), (0.8, 0.13), (0.86, 0.2), (0.8, 0.28), (0.35, 0.28)]) * (length, 1))]
    if kind in {"grasper", "wristed"}:
        teeth = np.linspace(0.9, 0.3, 9) * length
        outline[len(back) + 1 : len(back) + 1] = [(x, 0.05 * (i % 2)) for i, x in enumerate(teeth)]
    return _f32(np.array(outline)), holes


def _disc(x: float, y: float, radius: float) -> Floats:
    turn = np.linspace(0, 2 * np.pi, 20, endpoint=False)
    return _f32(np.stack([x + radius * np.cos(turn), y + radius * np.sin(turn)], axis=1))


def _f32(points: np.ndarray) -> Floats:
    return np.asarray(points, dtype=np.float32)
