"""A whole scene, drawn from one seed, that can be looked at at any time."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from training.datasets.synthetic.camera import Camera
from training.datasets.synthetic.contact import Fold, Shadow, Stains
from training.datasets.synthetic.instruments import SHAFT, TIP, Instrument
from training.datasets.synthetic.noise import Bytes
from training.datasets.synthetic.optics import Optics
from training.datasets.synthetic.pixels import lightened, over

_EXPOSURE_S = 0.02
_COUNT_CHANCES = (0.1, 0.4, 0.38, 0.12)  # of 0, 1, 2, 3 instruments


@dataclass(frozen=True)
class SyntheticFrame:
    """A picture and the truth about it.

    image: RGB uint8 [H, W, 3]; mask: uint8 [H, W], 0 background, 1 shaft, 2 tip; instances: uint8 [H, W], 0 background,
    1..3 the instruments, the nearest to the camera last. The truth is what can be seen: not what tissue hides, and
    nothing outside the field of view.
    """

    image: Bytes
    mask: Bytes
    instances: Bytes


class Scene:
    """Tissue, instruments and optics of one seed.

    Each part has its own stream of random numbers: the same seed with another number of instruments has the same tissue
    under the same light.
    """

    def __init__(self, seed: int, height: int, width: int, instruments: int | None = None, seconds: float = 0.0):
        """`seconds` > 0: the instruments come and go within that time; 0: all are in the picture at time 0."""
        self._seed, self._shape = seed, (height, width)
        self._camera = Camera(self._stream(1), height, width)
        self._instruments = _draw_instruments(self._stream(2), height, width, instruments, seconds)
        self._optics = Optics.draw(self._stream(3), height, width)
        self._fold = Fold(self._stream(4), height, width)
        self._stains = Stains(self._stream(5), height, width)
        self._shadow = Shadow(self._stream(6), height)

    def frame(self, time_s: float) -> SyntheticFrame:
        """The picture and its truth at a time in seconds."""
        picture = lightened(*self._camera.look(time_s))
        mask, instances = np.zeros(self._shape, np.uint8), np.zeros(self._shape, np.uint8)
        for number, instrument in enumerate(self._instruments, start=1):
            layer = instrument.render(time_s, *self._shape, _EXPOSURE_S)
            layer = self._fold.cover(layer, instrument.tip(time_s))
            picture = self._shadow.cast(picture, layer.pixels[..., 3])
            picture = over(self._stains.on(layer.pixels), picture)
            solid = layer.pixels[..., 3] > 127
            instances[solid] = number
            mask[solid] = SHAFT
            mask[layer.tip_alpha > 127] = TIP
        unseen = self._optics.view < 128
        mask[unseen] = 0
        instances[unseen] = 0
        image = self._optics.record(picture, time_s, self._stream(7, moment=round(time_s * 1000)))
        return SyntheticFrame(image, mask, instances)

    def _stream(self, part: int, moment: int = 0) -> np.random.Generator:
        return np.random.default_rng((self._seed, part, moment))


def _draw_instruments(
    rng: np.random.Generator, height: int, width: int, count: int | None, seconds: float
) -> tuple[Instrument, ...]:
    """Zero to three instruments, from directions that lie apart; the first comes first."""
    drawn = int(rng.choice(len(_COUNT_CHANCES), p=_COUNT_CHANCES))
    bearings = rng.uniform(0, 2 * np.pi) + np.array((0.0, rng.uniform(1.6, 4.2), rng.uniform(4.4, 5.4)))
    made = []
    for number in range(drawn if count is None else count):
        stays_s = (-10.0, 10.0)
        if seconds > 0:
            stays_s = (seconds * (rng.uniform(0.15, 0.25) + 0.1 * number), seconds * rng.uniform(0.75, 0.9))
        made.append(Instrument.draw(rng, height, width, float(bearings[number]), stays_s))
    return tuple(made)


def render_frame(seed: int, height: int = 480, width: int = 640, instruments: int | None = None) -> SyntheticFrame:
    """One picture with its truth. Same arguments, same bytes.

    `instruments`: 0 to 3, None draws the number (none in one frame of ten). Raises ValueError for another number.
    """
    _check_count(instruments)
    return Scene(seed, height, width, instruments).frame(0.0)


def render_clip(
    seed: int, frames: int, height: int = 480, width: int = 640, fps: float = 25.0, instruments: int | None = None
) -> Iterator[SyntheticFrame]:
    """`frames` pictures in motion: instruments enter, work and leave, the tissue breathes, smoke comes and goes.

    Same arguments, same bytes. Raises ValueError for a number of instruments that is not 0 to 3.
    """
    _check_count(instruments)
    scene = Scene(seed, height, width, instruments, seconds=frames / fps)
    return (scene.frame(index / fps) for index in range(frames))


def _check_count(instruments: int | None) -> None:
    most = len(_COUNT_CHANCES) - 1
    if instruments is not None and not 0 <= instruments <= most:
        raise ValueError(f"{instruments} instruments were asked for; a frame has 0 to {most}")
