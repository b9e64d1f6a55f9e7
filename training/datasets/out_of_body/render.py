"""One out-of-body frame of a seed: what is seen, then the camera that sees it."""

from collections.abc import Callable

import cv2
import numpy as np

from training.datasets.out_of_body import patterns, scenes, signals
from training.datasets.synthetic.noise import Bytes
from training.datasets.synthetic.pixels import as_bytes, blurred

Kind = Callable[[np.random.Generator, int, int], Bytes]

KINDS: dict[str, Kind] = {
    kind.__name__: kind
    for kind in (
        scenes.room,
        signals.blank,
        scenes.cloth,
        signals.bars,
        scenes.trocar,
        signals.screen,
        scenes.table,
        signals.sensor_noise,
        scenes.skin,
        patterns.shapes,
        signals.interlaced,
        patterns.stripes,
        patterns.gradient,
    )
}
_SYNTHESISED = frozenset({"blank", "bars", "screen", "interlaced", "sensor_noise"})
"""Kinds that no lens has seen."""


def kind_of(seed: int) -> str:
    """The kinds take turns."""
    return list(KINDS)[seed % len(KINDS)]


def render(seed: int, height: int = 480, width: int = 640) -> Bytes:
    """RGB uint8 [height, width, 3]; the same seed and size give the same pixels."""
    kind = kind_of(seed)
    rng = np.random.default_rng([seed, 0x0B0D])
    picture = KINDS[kind](rng, height, width)
    if kind not in _SYNTHESISED:
        picture = _through_a_lens(rng, picture)
    return as_bytes(picture + rng.normal(0, rng.uniform(0, 6), picture.shape))


def _through_a_lens(rng: np.random.Generator, picture: Bytes) -> Bytes:
    """Focus, exposure, and in every third frame the round field of view of an endoscope."""
    height, width = picture.shape[:2]
    if rng.random() < 0.4:
        picture = blurred(picture, float(rng.uniform(0.5, 6)))
    picture = as_bytes(picture * rng.uniform(0.5, 1.3))
    if rng.random() < 0.33:
        view = np.zeros((height, width), np.uint8)
        centre = (int(width * rng.uniform(0.45, 0.55)), int(height * rng.uniform(0.45, 0.55)))
        cv2.circle(view, centre, int(height * rng.uniform(0.45, 0.65)), 255, -1, cv2.LINE_AA)
        picture = as_bytes(picture * (view[..., None] / 255.0))
    return picture
