"""A whole scene, drawn from one seed, that can be looked at at any time."""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from training.datasets.synthetic.instruments import SHAFT, TIP, Instrument, Layer
from training.datasets.synthetic.motion import Wander
from training.datasets.synthetic.noise import Bytes, Floats, fractal_field, smooth_field
from training.datasets.synthetic.optics import Optics
from training.datasets.synthetic.tissue import Tissue, paint_tissue

_MARGIN = 0.06  # of the frame's side: canvas beyond the frame, so that the camera can drift
_EXPOSURE_S = 0.02


@dataclass(frozen=True)
class SyntheticFrame:
    """A picture and the truth about it.

    image: RGB uint8 [H, W, 3]; mask: uint8 [H, W], 0 background, 1 shaft, 2 tip; instances: uint8 [H, W], 0 background,
    1..3 the instruments, the nearest to the camera last. The truth covers what can be seen: not what tissue hides.
    """

    image: Bytes
    mask: Bytes
    instances: Bytes


class Scene:
    """Tissue, instruments and optics of one seed. Each is drawn from its own stream of random numbers, so the same
    seed with fewer instruments has the same tissue under the same light."""

    def __init__(self, seed: int, height: int, width: int, instruments: int | None = None, seconds: float = 0.0) -> None:
        """`seconds` > 0: instruments come and go within that time; 0: all are in the picture at time 0."""
        self.height, self.width, self._seed = height, width, seed
        margin_y, margin_x = round(height * _MARGIN), round(width * _MARGIN)
        self._tissue: Tissue = paint_tissue(self._stream(1), height + 2 * margin_y, width + 2 * margin_x)
        self._gaze = _Gaze(self._stream(2), height, width, margin_x, margin_y)
        self._instruments = _draw_instruments(self._stream(3), height, width, instruments, seconds)
        self.optics = Optics.draw(self._stream(4), height, width)
        self._hiding = _draw_hiding(self._stream(5), height, width)
        self._blood = _draw_stains(self._stream(6), height, width)
        self._shadow = _Shadow(self._stream(7), height)

    def _stream(self, part: int, moment: int = 0) -> np.random.Generator:
        return np.random.default_rng((self._seed, part, moment))

    def frame(self, time_s: float) -> SyntheticFrame:
        """The picture and its truth at a time in seconds."""
        picture, gloss = self._gaze.look(self._tissue, time_s)
        picture = cv2.add(picture, cv2.merge([gloss] * 3))
        bare = picture
        mask, instances = np.zeros((2, self.height, self.width), np.uint8)
        for number, instrument in enumerate(self._instruments, start=1):
            layer = instrument.render(time_s, self.height, self.width, _EXPOSURE_S)
            layer = self._partly_hidden(layer, instrument, time_s)
            picture = self._shadow.cast(picture, layer.pixels[..., 3])
            picture = _paste(picture, self._stained(layer.pixels))
            solid = layer.pixels[..., 3] > 127
            mask[solid] = SHAFT
            mask[layer.tip_alpha > 127] = TIP
            instances[solid] = number
        del bare
        unseen = self.optics.view < 128
        mask[unseen] = 0
        instances[unseen] = 0
        image = self.optics.record(picture, time_s, self._stream(8, round(time_s * 1000)))
        return SyntheticFrame(image, mask, instances)

    def _partly_hidden(self, layer: Layer, instrument: Instrument, time_s: float) -> Layer:
        """The layer less what a fold of tissue, that goes with the tip, covers of it."""
        if self._hiding is None:
            return layer
        joint = instrument.joint(time_s)
        shift = np.array([[1, 0, joint[0] - self.width], [0, 1, joint[1] - self.height]], np.float64)
        keep = cv2.warpAffine(self._hiding, shift, (self.width, self.height), borderValue=255)
        pixels = cv2.multiply(layer.pixels, cv2.merge([keep] * 4), scale=1 / 255)
        return Layer(pixels, cv2.multiply(layer.tip_alpha, keep, scale=1 / 255))

    def _stained(self, pixels: Bytes) -> Bytes:
        if self._blood is None:
            return pixels
        stained = cv2.multiply(pixels, self._blood, scale=1 / 255)
        return np.asarray(stained, dtype=np.uint8)


class _Gaze:
    """Where the camera looks: a slow drift over the canvas, while the tissue breathes."""

    def __init__(self, rng: np.random.Generator, height: int, width: int, margin_x: int, margin_y: int) -> None:
        self._size = (width, height)
        self._pan_x = Wander.draw(rng, margin_x, 0.6 * margin_x, 0.15)
        self._pan_y = Wander.draw(rng, margin_y, 0.6 * margin_y, 0.15)
        self._turn = Wander.draw(rng, 0.0, 0.03, 0.1)
        self._breath_hz, self._breath_phase = rng.uniform(0.2, 0.35), rng.uniform(0, 2 * np.pi)
        self._breath = 0.012

    def look(self, tissue: Tissue, time_s: float) -> tuple[Bytes, Bytes]:
        """Colour [H, W, 3] and gloss [H, W] as the camera sees them."""
        swell = 1 - self._breath * (1 + np.sin(2 * np.pi * self._breath_hz * time_s + self._breath_phase)) / 2
        width, height = self._size
        to_canvas = cv2.getRotationMatrix2D((width / 2, height / 2), np.degrees(self._turn.at(time_s)), swell)
        to_canvas[:, 2] += (self._pan_x.at(time_s), self._pan_y.at(time_s))
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        colour, gloss = (
            cv2.warpAffine(layer, to_canvas, self._size, flags=flags, borderMode=cv2.BORDER_REFLECT)
            for layer in (tissue.colour, tissue.gloss)
        )
        return colour, gloss


class _Shadow:
    """The soft dark band that an instrument throws on what lies beneath it."""

    def __init__(self, rng: np.random.Generator, height: int) -> None:
        self._offset = rng.uniform(-0.05, 0.05, 2) * height
        self._soft_px = rng.uniform(0.008, 0.035) * height
        self._depth = rng.uniform(0.1, 0.65)

    def cast(self, picture: Bytes, alpha: Bytes) -> Bytes:
        """`picture` RGB [H, W, 3] under an instrument of coverage `alpha` [H, W]."""
        height, width = alpha.shape
        small = cv2.resize(alpha, (width // 4, height // 4), interpolation=cv2.INTER_AREA)
        shift = np.array([[1, 0, self._offset[0] / 4], [0, 1, self._offset[1] / 4]])
        small = cv2.warpAffine(small, shift, (width // 4, height // 4), borderMode=cv2.BORDER_REPLICATE)
        small = cv2.GaussianBlur(small, (0, 0), max(self._soft_px / 4, 0.5))
        light = cv2.convertScaleAbs(cv2.bitwise_not(small), alpha=self._depth, beta=255 * (1 - self._depth))
        light = cv2.resize(light, (width, height), interpolation=cv2.INTER_LINEAR)
        shaded: Bytes = cv2.multiply(picture, cv2.merge([light] * 3), scale=1 / 255)
        return shaded


def _paste(picture: Bytes, pixels: Bytes) -> Bytes:
    """Premultiplied RGBA over RGB."""
    red, green, blue, alpha = cv2.split(pixels)
    kept = cv2.multiply(picture, cv2.merge([cv2.bitwise_not(alpha)] * 3), scale=1 / 255)
    pasted: Bytes = cv2.add(kept, cv2.merge([red, green, blue]))
    return pasted


def _draw_instruments(
    rng: np.random.Generator, height: int, width: int, count: int | None, seconds: float
) -> tuple[Instrument, ...]:
    """Zero to three instruments, from directions that lie apart; the first stays longest."""
    drawn = int(rng.choice(4, p=(0.1, 0.4, 0.38, 0.12)))
    first = rng.uniform(0, 2 * np.pi)
    bearings = first + np.array((0.0, rng.uniform(1.6, 4.2), rng.uniform(4.4, 5.4)))
    made = []
    for number in range(drawn if count is None else count):
        stays = (-10.0, seconds + 10.0)
        if seconds > 0:
            stays = (rng.uniform(0.0, 0.15) * seconds + 0.6 * number, seconds * rng.uniform(0.8, 1.0))
        made.append(Instrument.draw(rng, height, width, float(bearings[number % 3] + 0.3 * (number // 3)), stays))
    return tuple(made)


def _draw_hiding(rng: np.random.Generator, height: int, width: int) -> Bytes | None:
    """Now and then, tissue over a part of the tips: what stays visible, uint8 [2H, 2W] about the joint; else None."""
    if rng.random() > 0.3:
        return None
    blob = fractal_field(rng, height // 2, width // 2, rng.uniform(5, 14), 2) - np.float32(rng.uniform(0.9, 1.8))
    keep = np.clip(0.5 - blob * 6.0, 0, 1) * 255
    return np.asarray(cv2.resize(keep.astype(np.uint8), (2 * width, 2 * height), interpolation=cv2.INTER_CUBIC))


def _draw_stains(rng: np.random.Generator, height: int, width: int) -> Bytes | None:
    """Now and then, blood on the instruments: what it leaves of RGBA, uint8 [H, W, 4]; else None."""
    if rng.random() > 0.3:
        return None
    blob: Floats = smooth_field(rng, height // 4, width // 4, rng.uniform(6, 16)) - np.float32(rng.uniform(0.8, 1.6))
    amount = cv2.resize(np.clip(blob * 3.0, 0, 1), (width, height))[..., None]
    kept = 255 * (1 - amount * np.array((0.3, 0.85, 0.8, 0.0), np.float32))
    return np.asarray(kept, dtype=np.uint8)


def render_frame(seed: int, height: int = 480, width: int = 640, instruments: int | None = None) -> SyntheticFrame:
    """One picture with its truth; `instruments` None draws 0 to 3 (none in one of ten). Same seed, same bytes."""
    return Scene(seed, height, width, instruments).frame(0.0)


def render_clip(
    seed: int, frames: int, height: int = 480, width: int = 640, fps: float = 25.0, instruments: int | None = None
) -> Iterator[SyntheticFrame]:
    """`frames` pictures in motion: instruments enter, work and leave, the tissue breathes, smoke comes and goes."""
    scene = Scene(seed, height, width, instruments, seconds=frames / fps)
    for index in range(frames):
        yield scene.frame(index / fps)
