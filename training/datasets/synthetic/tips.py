"""The metal end of an instrument, drawn along the x axis: a clevis, and jaws that open, or a hook, or a tube.

A part is a polygon in diameters of the shaft; x runs from the joint with the shaft (0) to the tissue, y across.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from training.datasets.synthetic.look import Look
from training.datasets.synthetic.noise import Bytes, Floats, Matrix, smooth_field
from training.datasets.synthetic.pixels import as_bytes, over, shaded

_Part = tuple[Floats, list[Floats]]  # outline [N, 2] and holes, in diameters

_BACKS = {  # the outer edge of a jaw from the hinge to its point: (share of the length, diameters from the axis)
    "grasper": ((0.0, 0.42), (0.55, 0.36), (0.92, 0.28), (1.0, 0.1)),
    "fenestrated": ((0.0, 0.42), (0.5, 0.44), (0.9, 0.4), (1.0, 0.14)),
    "dissector": ((0.0, 0.36), (0.4, 0.28), (0.75, 0.3), (0.96, 0.42), (1.0, 0.32)),
    "scissors": ((0.0, 0.42), (0.4, 0.34), (0.8, 0.2), (1.0, 0.02)),
    "sealer": ((0.0, 0.44), (0.7, 0.42), (0.95, 0.34), (1.0, 0.12)),
    "wristed": ((0.0, 0.4), (0.3, 0.34), (0.8, 0.22), (1.0, 0.1)),
}
_STRAIGHT, _CURVED = ((0.5, 0.0), (-0.08, -0.1)), ((0.8, 0.1), (0.4, 0.02), (-0.08, -0.1))  # the biting edge, backwards
_WINDOW = np.array([(0.35, 0.13), (0.8, 0.13), (0.86, 0.2), (0.8, 0.28), (0.35, 0.28)])


@dataclass(frozen=True)
class Sprite:
    """Premultiplied RGBA uint8 [h, w, 4]; `origin` is the pixel (x, y) of the joint with the shaft."""

    pixels: Bytes
    origin: tuple[float, float]


def draw_tip(look: Look, opening: float) -> Sprite:
    """The tip with its jaws `opening` (0 closed to 1 wide) apart."""
    scale = look.scale
    spread = max(0.85, 0.6 + look.jaw_length * np.sin(look.max_opening) + 0.25)
    origin = (0.25 * scale + 2.0, spread * scale + 2.0)
    pixels = np.zeros((int(origin[1] * 2), int(origin[0] + (look.reach + 0.3) * scale + 3), 4), np.uint8)
    for part, (outline, holes) in enumerate(_outlines(look, opening * look.max_opening)):
        _paint_part(pixels, look, part, [_f32(points * scale + np.array(origin)) for points in (outline, *holes)])
    return Sprite(pixels, origin)


def _paint_part(pixels: Bytes, look: Look, part: int, polygons: list[Floats]) -> None:
    """Lay one solid over the sprite: the first polygon less the others, in pixels."""
    left, top = np.maximum(polygons[0].min(axis=0).astype(int) - 2, 0)
    right, bottom = polygons[0].max(axis=0).astype(int) + 3
    below = pixels[top:bottom, left:right]
    alpha = np.zeros(below.shape[:2], np.uint8)
    for number, points in enumerate(polygons):
        corners = np.round((points - (left, top)) * 16).astype(np.int32)
        cv2.fillPoly(alpha, [corners], 0 if number else 255, cv2.LINE_AA, shift=4)
    below[:] = over(_shade_metal(alpha, look, part), below)


def _shade_metal(alpha: Bytes, look: Look, part: int) -> Bytes:
    """A solid of that silhouette, rounded towards its edge, mirroring a room of light and dark bands."""
    inside = cv2.distanceTransform((alpha > 127).astype(np.uint8), cv2.DIST_L2, 3)
    rounding = 0.25 * look.scale
    height = cv2.sqrt(np.minimum(inside / np.float32(rounding), np.float32(1.0))) * np.float32(rounding)
    height = cv2.GaussianBlur(height, (0, 0), max(0.6, 0.03 * look.scale))
    slope_y = cv2.Sobel(height, cv2.CV_32F, 0, 1, scale=1 / 8)
    slope_x = cv2.Sobel(height, cv2.CV_32F, 1, 0, scale=1 / 8)
    wear = smooth_field(np.random.default_rng(part), alpha.shape[0], alpha.shape[1], 9)
    tilt = as_bytes(slope_y * 90 + slope_x * 40 + wear * 9 + np.float32(127.5 + 16 * part))
    bright = cv2.LUT(tilt, look.metal)
    colour = as_bytes(cv2.merge([bright * tone for tone in look.tint]))
    return as_bytes(cv2.merge([shaded(colour, alpha), alpha]))


def _outlines(look: Look, angle: float) -> list[_Part]:
    """Parts from back to front; the jaws stand `angle` radians each from the axis."""
    neck = 0.36 if look.kind in {"hook", "dissector"} else 0.44
    length = look.clevis_length
    edge = np.array([(-0.2, 0.5), (0.1, 0.5), (length, neck), (length + 0.12, neck * 0.6)])
    body: _Part = (_f32(np.concatenate([edge, edge[::-1] * (1, -1)])), [])
    if look.kind == "hook":
        return [_hook(look), body]
    if look.kind == "sucker":
        return [_tube(look), body]
    jaws = [_turned(_jaw(look.kind, look.jaw_length), side, angle, length) for side in (-1, 1)]
    return [*jaws, body, (_disc(length - 0.12, 0.0, 0.17), [])]


def _hook(look: Look) -> _Part:
    end = look.jaw_length
    bend = [(end + 0.14, 0.0), (end + 0.1, 0.62), (end - 0.1, 0.62), (end - 0.14, 0.14)]
    return _f32(np.array([(0, -0.14), (end, -0.14), *bend, (0, 0.14)]) + np.array((look.clevis_length, 0))), []


def _tube(look: Look) -> _Part:
    end, start = look.jaw_length, look.clevis_length
    edge = np.array([(-0.1, 0.42), (end, 0.36), (end + 0.1, 0.2)])
    holes = [_disc(start + end * at, side, 0.07) for at, side in ((0.9, -0.1), (0.75, 0.15), (0.6, -0.12))]
    return _f32(np.concatenate([edge, edge[::-1] * (1, -1)]) + np.array((start, 0))), holes


def _jaw(kind: str, length: float) -> _Part:
    """The jaw on the side y > 0, closed, its hinge at (0, 0)."""
    edge = list(_CURVED if kind == "dissector" else _STRAIGHT)
    if kind in {"grasper", "wristed"}:
        edge = [*((at, 0.05 * (tooth % 2)) for tooth, at in enumerate(np.linspace(0.9, 0.3, 9))), edge[-1]]
    outline = np.array([(-0.08, 0.3), *_BACKS[kind], *edge]) * (length, 1)
    return _f32(outline), [_f32(_WINDOW * (length, 1))] if kind == "fenestrated" else []


def _turned(jaw: _Part, side: int, angle: float, hinge_x: float) -> _Part:
    """The jaw mirrored to its side of the axis, opened, and moved to the hinge."""
    turn = np.array([[np.cos(angle), side * np.sin(angle)], [-side * np.sin(angle), np.cos(angle)]])
    outline, *holes = (_f32((points * (1, side)) @ turn + np.array((hinge_x, 0))) for points in (jaw[0], *jaw[1]))
    return outline, holes


def _disc(x: float, y: float, radius: float) -> Floats:
    turn = np.linspace(0, 2 * np.pi, 20, endpoint=False)
    return _f32(np.stack([x + radius * np.cos(turn), y + radius * np.sin(turn)], axis=1))


def _f32(points: Matrix) -> Floats:
    return np.asarray(points, dtype=np.float32)
