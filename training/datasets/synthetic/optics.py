"""From the lit scene to the recorded picture: the scope's light and field of view, smoke, colour, blur, noise."""

from dataclasses import dataclass
from typing import Self

import cv2
import numpy as np

from training.datasets.synthetic.motion import Wander
from training.datasets.synthetic.noise import Bytes, fractal_field
from training.datasets.synthetic.pixels import as_bytes, blurred, enlarged, lightened, shaded


@dataclass(frozen=True)
class Optics:
    """All that stands between the scene and the pixels. Maps cover the whole frame."""

    light: Bytes  # uint8 [H, W], 128 = as painted
    view: Bytes  # uint8 [H, W], 255 inside the field of view
    smoke: Bytes  # uint8 [H', W'], wider than the frame: it drifts
    smoke_amount: Wander
    smoke_tone: float
    tone_curves: Bytes  # uint8 [256, 3]: exposure, contrast and colour cast
    surround: float
    blur_px: float
    noise: float

    @classmethod
    def draw(cls, rng: np.random.Generator, height: int, width: int) -> Self:
        """Optics for frames of height x width."""
        smoky = rng.random() < 0.35
        view = _draw_view(rng, height, width)
        return cls(
            light=_draw_light(rng, height, width),
            view=view,
            smoke=_draw_smoke(rng, height, width),
            smoke_amount=Wander.draw(rng, rng.uniform(0.15, 0.6) if smoky else -0.2, 0.35, 0.12),
            smoke_tone=float(rng.uniform(110, 205)),
            tone_curves=_draw_tones(rng),
            surround=float(rng.choice((0.0, 0.0, 6.0, 14.0))),
            blur_px=float(rng.uniform(0.8, 2.4) * height / 480) if rng.random() < 0.2 else 0.0,
            noise=float(rng.uniform(0.5, 6.0)),
        )

    def record(self, scene: Bytes, time_s: float, rng: np.random.Generator) -> Bytes:
        """Lit scene RGB uint8 [H, W, 3] -> picture RGB uint8 [H, W, 3]."""
        picture = self._veiled(shaded(scene, self.light, full=128), time_s)
        if self.blur_px > 0:
            picture = blurred(picture, self.blur_px)
        picture = shaded(as_bytes(cv2.LUT(picture, self.tone_curves[:, None])), self.view)
        if self.surround:
            outside = cv2.bitwise_not(self.view)
            picture = lightened(picture, as_bytes(cv2.convertScaleAbs(outside, alpha=self.surround / 255)))
        return self._with_noise(picture, rng)

    def _veiled(self, picture: Bytes, time_s: float) -> Bytes:
        amount = min(max(self.smoke_amount.at(time_s), 0.0), 0.85)
        if amount < 0.01:
            return picture
        width = picture.shape[1]
        spare = self.smoke.shape[1] - width
        shift = int((0.5 + 0.5 * np.sin(0.21 * time_s)) * spare)
        density = as_bytes(cv2.convertScaleAbs(self.smoke[:, shift : shift + width], alpha=amount))
        kept = shaded(picture, as_bytes(cv2.bitwise_not(density)))
        return lightened(kept, as_bytes(cv2.convertScaleAbs(density, alpha=self.smoke_tone / 255)))

    def _with_noise(self, picture: Bytes, rng: np.random.Generator) -> Bytes:
        """Sensor noise, half of it common to the channels, coarser in colour. Even, not normal: ten times faster."""
        height, width = picture.shape[:2]
        tint = rng.integers(0, 256, (height // 2 + 1, width // 2 + 1, 3), dtype=np.uint8)
        grey = rng.integers(0, 256, (height, width), dtype=np.uint8)
        noise = cv2.resize(tint, (width, height), interpolation=cv2.INTER_LINEAR)
        noise = cv2.addWeighted(noise, 0.5, cv2.merge([grey] * 3), 0.5, 0)
        gain = self.noise / 45.0
        return as_bytes(cv2.addWeighted(picture, 1.0, noise, gain, -127.5 * gain))


def _draw_light(rng: np.random.Generator, height: int, width: int) -> Bytes:
    """The cone of the scope's light: brightest near the middle, falling off outwards."""
    across, down = np.meshgrid(np.linspace(-1, 1, width // 4 + 1), np.linspace(-1, 1, height // 4 + 1) * height / width)
    distance = np.hypot(across - rng.uniform(-0.25, 0.25), down - rng.uniform(-0.2, 0.2))
    falloff = np.exp(-np.square(distance / rng.uniform(0.7, 1.9)))
    strength = rng.uniform(0.95, 1.35) * (0.25 + 0.75 * falloff)
    return enlarged(as_bytes(strength * 128), height, width)


def _draw_view(rng: np.random.Generator, height: int, width: int) -> Bytes:
    """The picture's window: the whole frame, a circle cut by the frame, or a whole circle in black."""
    view = np.full((height, width), 255, np.uint8)
    shape = rng.choice(("full", "bars", "cut", "circle"), p=(0.35, 0.1, 0.3, 0.25))
    if shape == "bars":
        side = int(rng.uniform(0.005, 0.04) * width)
        view[:, :side] = 0
        view[:, width - side :] = 0
        view[: int(rng.uniform(0, 0.02) * height)] = 0
    if shape in {"cut", "circle"}:
        view[:] = 0
        radius = height * (rng.uniform(0.56, 0.72) if shape == "cut" else rng.uniform(0.42, 0.53))
        stretch = rng.uniform(0.86, 1.12)
        centre = (width * rng.uniform(0.42, 0.58), height * rng.uniform(0.46, 0.54))
        axes = (int(radius * stretch * 8), int(radius * 8))
        cv2.ellipse(view, (int(centre[0] * 8), int(centre[1] * 8)), axes, 0, 0, 360, 255, -1, cv2.LINE_AA, shift=3)
        if rng.random() < 0.6:
            view = blurred(view, rng.uniform(0.8, 9.0) * height / 480)
    return view


def _draw_smoke(rng: np.random.Generator, height: int, width: int) -> Bytes:
    """Density of the haze, at the frame's height and 1.3 times its width."""
    wide = int(width * 1.3)
    coarse = fractal_field(rng, height // 8 + 1, wide // 8 + 1, rng.uniform(1.5, 4), 3, gain=0.4)
    return enlarged(as_bytes(np.clip(0.62 + 0.26 * coarse, 0.1, 1.0) * 255), height, wide)


def _draw_tones(rng: np.random.Generator) -> Bytes:
    """One curve a channel, uint8 [256, 3]: exposure, gamma, a colour cast."""
    level = np.linspace(0, 1, 256)[:, None]
    cast = np.exp(rng.normal(0, (0.05, 0.03, 0.07), 3)) * np.array((1.04, 0.97, rng.uniform(0.85, 1.1)))
    gains = rng.uniform(0.85, 1.25) * cast
    lift = rng.uniform(0, 0.03)
    curves = lift + (1 - lift) * np.clip(level * gains, 0, None) ** rng.uniform(0.75, 1.15)
    return as_bytes(curves * 255)
