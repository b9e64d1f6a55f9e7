"""Where the camera looks: a slow drift over a canvas larger than the frame, while the tissue breathes."""

import cv2
import numpy as np

from training.datasets.synthetic.motion import Wander
from training.datasets.synthetic.noise import Bytes
from training.datasets.synthetic.pixels import as_bytes
from training.datasets.synthetic.tissue import Tissue, paint_tissue

_MARGIN = 0.06  # of the frame's side: canvas beyond each border
_BREATH = 0.012  # share by which the tissue swells


class Camera:
    """Looks at its own canvas of tissue. Drawn from `rng`; what it sees depends on the time alone."""

    def __init__(self, rng: np.random.Generator, height: int, width: int) -> None:
        margin_y, margin_x = round(height * _MARGIN), round(width * _MARGIN)
        self._size = (width, height)
        self._tissue: Tissue = paint_tissue(rng, height + 2 * margin_y, width + 2 * margin_x)
        self._pan_x = Wander.draw(rng, margin_x, 0.6 * margin_x, 0.15)
        self._pan_y = Wander.draw(rng, margin_y, 0.6 * margin_y, 0.15)
        self._turn = Wander.draw(rng, 0.0, 0.03, 0.1)
        self._breath_hz, self._breath_phase = rng.uniform(0.2, 0.35), rng.uniform(0, 2 * np.pi)

    def look(self, time_s: float) -> tuple[Bytes, Bytes]:
        """Colour RGB uint8 [H, W, 3] and specular strength uint8 [H, W] at that time."""
        swell = 1 - _BREATH * (1 + np.sin(2 * np.pi * self._breath_hz * time_s + self._breath_phase)) / 2
        width, height = self._size
        to_canvas = cv2.getRotationMatrix2D((width / 2, height / 2), np.degrees(self._turn.at(time_s)), swell)
        to_canvas[0, 2] += self._pan_x.at(time_s)
        to_canvas[1, 2] += self._pan_y.at(time_s)
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        colour, gloss = (
            as_bytes(cv2.warpAffine(layer, to_canvas, self._size, flags=flags, borderMode=cv2.BORDER_REFLECT))
            for layer in (self._tissue.colour, self._tissue.gloss)
        )
        return colour, gloss
