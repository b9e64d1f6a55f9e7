"""What an instrument is made of: its make, its metal, and its shaft, drawn along the x axis.

Lengths are in diameters of the shaft, at `scale` pixels a diameter. Sprites are premultiplied RGBA uint8 [h, w, 4].
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

    @property
    def reach(self) -> float:
        """From the joint to the point of the jaws, in diameters."""
        return self.clevis_length + self.jaw_length


def choose_look(rng: np.random.Generator, scale: float, shaft_length: float) -> Look:
    """Draw an instrument; `scale` is its diameter at the tip in pixels, `shaft_length` is in diameters."""
    kind = str(rng.choice(KINDS, p=_KIND_FREQUENCY / _KIND_FREQUENCY.sum()))
    weights = np.array([weight for _, weight in _TINTS])
    shaft_tint = np.array(_TINTS[rng.choice(len(_TINTS), p=weights / weights.sum())][0], np.float32)
    shaft_tint = shaft_tint * np.float32(rng.uniform(0.75, 1.25)) + rng.normal(0, 3, 3).astype(np.float32)
    dark_tip = rng.random() < 0.2
    tint = np.array((1.0, 0.99, 0.96), np.float32) * np.float32(rng.uniform(*((60, 110) if dark_tip else (125, 215))))
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
    curve = 0.25 + 0.5 * np.sqrt(1 - 0.95 * tilt * tilt)
    for _ in range(6):
        centre, spread = rng.uniform(-0.8, 0.8), rng.uniform(0.05, 0.3)
        strength = np.float32(rng.choice((-0.6, 0.5, 1.0)) * rng.uniform(0.5, 1.0))
        curve += strength * np.exp(-np.square((tilt - centre) / spread))
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
        start = max(0, int(width - rng.uniform(0.3, 6) * scale))
        paint[:, start : start + int(rng.uniform(0.04, 0.25) * scale) + 1] *= rng.choice((0.35, 0.6, 1.7))
    np.clip(paint, 4, 245, out=paint)


def _add_lettering(rng: np.random.Generator, paint: Floats, scale: float) -> None:
    size, thick = 0.019 * scale * rng.uniform(0.7, 1.2), max(1, round(scale * 0.05))
    ink = 235.0 if paint.mean() < 120 else 30.0
    place = (int(paint.shape[1] - rng.uniform(3.5, 7.5) * scale), int(scale * rng.uniform(0.62, 0.75)))
    layer = np.zeros(paint.shape[:2], np.uint8)
    cv2.putText(layer, str(rng.choice(_WORDS)), place, cv2.FONT_HERSHEY_SIMPLEX, size, 255, thick, cv2.LINE_AA)
    amount = layer.astype(np.float32)[..., None] / 255.0
    paint += (ink - paint) * amount
