"""What stands, hangs and lies in front of a camera outside the body: a room, a table, cloth, a wall of a trocar."""

import cv2
import numpy as np

from training.datasets.synthetic.noise import Bytes, Floats, Matrix, bend, fractal_field, smooth_field
from training.datasets.synthetic.pixels import as_bytes, blurred

_CLOTH = ((20, 90, 70), (30, 80, 140), (200, 205, 210), (120, 160, 170), (225, 200, 190))
_SKIN = ((224, 172, 140), (198, 134, 98), (141, 85, 54), (92, 58, 40))
_WOOD = ((150, 111, 70), (190, 160, 120), (96, 66, 44), (205, 205, 200))


def room(rng: np.random.Generator, height: int, width: int) -> Bytes:
    """Ceiling, walls and floor around a far wall, with lamps, doors and cupboards; mostly out of focus."""
    picture = np.zeros((height, width, 3), np.uint8)
    left, right = width * rng.uniform(-0.1, 0.4), width * rng.uniform(0.6, 1.1)
    top, bottom = height * rng.uniform(0.0, 0.35), height * rng.uniform(0.55, 0.95)
    inner = [(left, top), (right, top), (right, bottom), (left, bottom)]
    outer = [(0, 0), (width, 0), (width, height), (0, height)]
    tone = rng.uniform(60, 220, 3)
    for i in range(4):
        side = [outer[i], outer[(i + 1) % 4], inner[(i + 1) % 4], inner[i]]
        cv2.fillPoly(picture, [np.array(side, np.int32)], np.clip(tone * rng.uniform(0.5, 1.2), 0, 255).tolist())
    cv2.fillPoly(picture, [np.array(inner, np.int32)], np.clip(tone * rng.uniform(0.7, 1.2), 0, 255).tolist())
    _furnish(rng, picture)
    for _ in range(rng.integers(0, 4)):
        _lamp(rng, picture)
    return blurred(_lit(rng, picture, 0.5), float(rng.uniform(0.5, 9)))


def table(rng: np.random.Generator, height: int, width: int) -> Bytes:
    """A grained surface with sheets of paper, cups and boxes on it."""
    grain = fractal_field(rng, height, width, float(rng.uniform(3, 12)), 5)
    stretched = cv2.resize(grain[:, : max(8, width // 12)], (width, height))
    base = np.array(_WOOD[rng.integers(len(_WOOD))], np.float32)
    picture = as_bytes(base * (1 + 0.12 * stretched[..., None]))
    for _ in range(rng.integers(1, 5)):
        centre = (float(rng.uniform(0, width)), float(rng.uniform(0, height)))
        size = (float(rng.uniform(0.15, 0.5) * width), float(rng.uniform(0.15, 0.5) * width))
        corners = cv2.boxPoints((centre, size, float(rng.uniform(0, 90)))).astype(np.int32)
        cv2.fillPoly(picture, [corners], rng.integers(150, 256, 3).tolist(), cv2.LINE_AA)
    for _ in range(rng.integers(0, 3)):
        place = (int(rng.integers(width)), int(rng.integers(height)))
        radius = int(rng.uniform(0.05, 0.15) * width)
        for share in (1.0, 0.85):
            cv2.circle(picture, place, int(radius * share), rng.integers(20, 256, 3).tolist(), -1, cv2.LINE_AA)
    return _lit(rng, picture, 0.3)


def cloth(rng: np.random.Generator, height: int, width: int) -> Bytes:
    """Drapes, gowns and gauze: one colour in folds, with a weave that a near camera resolves."""
    folds = fractal_field(rng, height, width, float(rng.uniform(2, 7)), 3)
    folds = bend(rng, folds, 3.0, 0.05 * width)
    weave = (
        np.sin(np.arange(width) * rng.uniform(0.3, 2.5))[None]
        * np.sin(np.arange(height) * rng.uniform(0.3, 2.5))[:, None]
    )
    base = np.array(_CLOTH[rng.integers(len(_CLOTH))], np.float32)
    shade = 1 + 0.22 * folds + rng.uniform(0, 0.12) * weave
    return _lit(rng, as_bytes(base * shade[..., None]), 0.3)


def skin(rng: np.random.Generator, height: int, width: int) -> Bytes:
    """Skin or a glove close to the lens: smooth, mottled, a fold or two."""
    base = np.array((*_SKIN, (235, 235, 240))[rng.integers(len(_SKIN) + 1)], np.float32)
    shade = 1 + 0.05 * fractal_field(rng, height, width, 6, 4) + 0.12 * smooth_field(rng, height, width, 2)
    return _lit(rng, as_bytes(base * shade[..., None]), 0.4)


def trocar(rng: np.random.Generator, height: int, width: int) -> Bytes:
    """Looking along the inside of a trocar: rings of a dark wall, and something bright or dark at its end."""
    y, x = np.ogrid[:height, :width]
    centre = height * rng.uniform(0.3, 0.7), width * rng.uniform(0.3, 0.7)
    distance = np.hypot(y - centre[0], x - centre[1]) / height
    hole = float(rng.uniform(0.05, 0.35))
    rings = 0.5 + 0.5 * np.cos(rng.uniform(4, 25) * np.log(distance + 0.02) + rng.uniform(0, 6))
    wall = rng.uniform(10, 120) * (0.4 + rng.uniform(0.1, 0.6) * rings) * np.exp(-rng.uniform(0, 1.5) * distance)
    end = rng.uniform(0, 230, 3) * (1 + 0.1 * smooth_field(rng, height, width, 4))[..., None]
    picture = np.where((distance < hole)[..., None], end, wall[..., None] * rng.uniform(0.8, 1.2, 3))
    return blurred(as_bytes(picture), float(rng.uniform(0.6, 4)))


def _furnish(rng: np.random.Generator, picture: Bytes) -> None:
    height, width = picture.shape[:2]
    for _ in range(rng.integers(2, 8)):
        x, y = int(rng.integers(0, width)), int(rng.integers(height // 4, height))
        size = int(rng.uniform(0.05, 0.3) * width), int(rng.uniform(0.1, 0.5) * height)
        colour = (rng.uniform(20, 240) * rng.uniform(0.85, 1.15, 3)).clip(0, 255).tolist()
        cv2.rectangle(picture, (x, y), (x + size[0], y + size[1]), colour, -1)


def _lamp(rng: np.random.Generator, picture: Bytes) -> None:
    height, width = picture.shape[:2]
    place = (int(rng.integers(width)), int(rng.integers(height // 2)))
    axes = (int(rng.uniform(0.03, 0.2) * width), int(rng.uniform(0.02, 0.1) * height))
    cv2.ellipse(picture, place, axes, float(rng.uniform(0, 180)), 0, 360, (255, 255, 250), -1, cv2.LINE_AA)


def _lit(rng: np.random.Generator, picture: Bytes, strength: float) -> Bytes:
    """Uneven light from one side, and a cast of colour."""
    height, width = picture.shape[:2]
    light: Floats = 1 + np.float32(strength) * smooth_field(rng, height, width, 1.5)
    cast: Matrix = rng.uniform(0.85, 1.15, 3)
    return as_bytes(picture * (np.clip(light, 0.15, 1.8)[..., None] * cast))
