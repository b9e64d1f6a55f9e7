"""Arithmetic on uint8 pictures, typed. A picture is RGB [H, W, 3], a sprite premultiplied RGBA [H, W, 4]."""

import cv2
import numpy as np

from training.datasets.synthetic.noise import Bytes, Floats, Matrix


def as_bytes(pixels: Matrix) -> Bytes:
    """The same array, known to be uint8; floats are cut off below 0 and above 255."""
    return pixels.astype(np.uint8, copy=False) if pixels.dtype == np.uint8 else np.clip(pixels, 0, 255).astype(np.uint8)


def as_floats(values: Matrix) -> Floats:
    """The same array, known to be float32."""
    return values.astype(np.float32, copy=False)


def shaded(picture: Bytes, light: Bytes, full: float = 255.0) -> Bytes:
    """`picture` [H, W, C] or [H, W] times `light` [H, W], where `full` leaves it as it is."""
    channels = 1 if picture.ndim == 2 else picture.shape[2]
    factor = light if channels == 1 else cv2.merge([light] * channels)
    return as_bytes(cv2.multiply(picture, factor, scale=1 / full))


def lightened(picture: Bytes, shine: Bytes) -> Bytes:
    """`picture` [H, W, 3] plus white light `shine` [H, W]."""
    return as_bytes(cv2.add(picture, cv2.merge([shine] * 3)))


def over(front: Bytes, back: Bytes) -> Bytes:
    """Sprite `front` laid over the sprite or picture `back` of the same size."""
    kept = shaded(back, as_bytes(cv2.bitwise_not(front[..., 3])))
    return as_bytes(cv2.add(front if back.shape[2] == 4 else np.ascontiguousarray(front[..., :3]), kept))


def enlarged(picture: Bytes, height: int, width: int) -> Bytes:
    """Resized smoothly to height x width."""
    return as_bytes(cv2.resize(picture, (width, height), interpolation=cv2.INTER_CUBIC))


def blurred(picture: Bytes, sigma_px: float) -> Bytes:
    """Gaussian blur."""
    return as_bytes(cv2.GaussianBlur(picture, (0, 0), sigma_px))
