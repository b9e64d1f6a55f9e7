"""One instrument in the scene: where it is at a time, and its pixels there."""

from dataclasses import dataclass
from typing import Self

import cv2
import numpy as np

from training.datasets.synthetic.look import Look, choose_look
from training.datasets.synthetic.motion import Wander, ease
from training.datasets.synthetic.noise import Bytes, Floats, Matrix
from training.datasets.synthetic.pixels import as_bytes, blurred, over
from training.datasets.synthetic.tips import draw_tip

SHAFT, TIP = 1, 2
_TRANSIT_S = 1.5  # how long it takes to come in and to go out


@dataclass(frozen=True)
class Layer:
    """An instrument on the frame: premultiplied RGBA uint8 [H, W, 4] and the tip's share of coverage uint8 [H, W]."""

    pixels: Bytes
    tip_alpha: Bytes


@dataclass(frozen=True)
class Instrument:
    """Turns about `pivot` outside the frame (the trocar), its joint wandering over the picture. Lengths in pixels."""

    look: Look
    pivot: Floats
    target_x: Wander
    target_y: Wander
    opening: Wander
    wrist: Wander
    taper: float
    enters_s: float
    leaves_s: float
    retreat_px: float
    soft_px: float

    @classmethod
    def draw(
        cls, rng: np.random.Generator, height: int, width: int, bearing: float, stays_s: tuple[float, float]
    ) -> Self:
        """An instrument that comes from direction `bearing` (radians, 0 = right, clockwise) and stays that long."""
        centre = np.array((width, height), np.float32) / 2
        towards = np.array((np.cos(bearing), np.sin(bearing)), np.float32)
        pivot = centre + towards * np.float32(0.85 * np.hypot(height, width) * rng.uniform(0.9, 1.2))
        diameter = height * float(np.exp(rng.uniform(np.log(0.05), np.log(0.22))))
        aim = centre + towards * rng.uniform(-0.05, 0.4) * min(height, width) + rng.normal(0, 0.1, 2) * (width, height)
        length = 1.3 * np.hypot(height, width) / diameter
        return cls(
            look=choose_look(rng, max(diameter, 6.0), float(length)),
            pivot=pivot,
            target_x=Wander.draw(rng, float(aim[0]), 0.16 * width, 0.25),
            target_y=Wander.draw(rng, float(aim[1]), 0.16 * height, 0.25),
            opening=Wander.draw(rng, 0.45, 0.75, 0.5),
            wrist=Wander.draw(rng, 0.0, 0.7, 0.3),
            taper=float(rng.uniform(1.0, 2.1)),
            enters_s=stays_s[0],
            leaves_s=stays_s[1],
            retreat_px=float(1.2 * np.hypot(height, width)),
            soft_px=float(rng.uniform(0.4, 1.3) * height / 480),
        )

    def pose(self, time_s: float) -> tuple[Floats, Floats]:
        """Where shaft and tip meet, (x, y) in pixels, and the unit vector from the pivot to the tissue."""
        target = np.array((self.target_x.at(time_s), self.target_y.at(time_s)), np.float32)
        way = target - self.pivot
        towards = way / max(float(np.linalg.norm(way)), 1e-6)
        inside = ease((time_s - self.enters_s) / _TRANSIT_S + 1.0) * ease((self.leaves_s - time_s) / _TRANSIT_S + 1.0)
        joint = target - towards * np.float32((1.0 - inside) * self.retreat_px)
        return np.asarray(joint, dtype=np.float32), np.asarray(towards, dtype=np.float32)

    def tip(self, time_s: float) -> Floats:
        """The middle of the tip, (x, y) in pixels."""
        joint, towards = self.pose(time_s)
        return np.asarray(joint + towards * np.float32(self.look.reach / 2 * self.look.scale), dtype=np.float32)

    def render(self, time_s: float, height: int, width: int, exposure_s: float) -> Layer:
        """Its pixels on a frame of height x width, blurred by its way during the exposure."""
        joint, towards = self.pose(time_s)
        size = (width, height)
        shaft = cv2.warpPerspective(self.look.shaft, self._shaft_map(joint, towards), size, flags=cv2.INTER_LINEAR)
        tip_sprite = draw_tip(self.look, min(max(self.opening.at(time_s), 0.0), 1.0))
        angle = float(np.arctan2(towards[1], towards[0]))
        angle += self.wrist.at(time_s) if self.look.kind == "wristed" else 0.0
        tip = cv2.warpAffine(tip_sprite.pixels, _place(tip_sprite.origin, joint, angle), size, flags=cv2.INTER_LINEAR)
        travel = self.pose(time_s + exposure_s)[0] - joint
        shaft, tip = (_soften(as_bytes(layer), self.soft_px, travel) for layer in (shaft, tip))
        return Layer(over(tip, shaft), tip[..., 3])

    def _shaft_map(self, joint: Floats, towards: Floats) -> Matrix:
        """Homography of the shaft's sprite to the frame: narrow at the joint, wider by `taper` at the pivot's end."""
        length, half = self.look.shaft_length * self.look.scale, self.look.scale / 2
        normal = np.array((-towards[1], towards[0]), np.float32)
        far = joint - towards * np.float32(length)
        near_half = half * (1 + (self.taper - 1) * 1.5)
        corners = np.stack(
            [far - normal * near_half, joint - normal * half, joint + normal * half, far + normal * near_half]
        )
        rows, columns = self.look.shaft.shape[:2]
        sprite = np.array([(0, 0), (columns, 0), (columns, rows), (0, rows)], np.float32) - np.float32(0.5)
        return np.asarray(cv2.getPerspectiveTransform(sprite, corners.astype(np.float32)))


def _place(origin: tuple[float, float], joint: Floats, angle: float) -> Matrix:
    cosine, sine = np.cos(angle), np.sin(angle)
    turn = np.array([[cosine, -sine], [sine, cosine]])
    return np.hstack([turn, (joint - turn @ np.asarray(origin))[:, None]])


def _soften(layer: Bytes, soft_px: float, travel: Floats) -> Bytes:
    """Lens softness, and the smear of a motion over `travel` pixels."""
    soft = blurred(layer, soft_px)
    distance = float(np.linalg.norm(travel))
    if distance < 1.5:
        return soft
    reach = int(min(np.ceil(distance / 2), 20))
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1), np.uint8)
    step = np.round(travel / distance * reach).astype(int)
    cv2.line(kernel, (reach - step[0], reach - step[1]), (reach + step[0], reach + step[1]), 255, 1, cv2.LINE_AA)
    return as_bytes(cv2.filter2D(soft, -1, kernel.astype(np.float32) / kernel.sum()))
