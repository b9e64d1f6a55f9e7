"""Changes that endoscopy needs and torchvision lacks: its light, its smoke, its round picture."""

from abc import ABC, abstractmethod
from typing import Any

import cv2
import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms import v2
from typing_extensions import override


class _ImageOnly(v2.Transform, ABC):  # type: ignore[misc]  # torchvision has no types
    """Changes pixels of images and leaves masks as they are."""

    @override
    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        if not isinstance(inpt, tv_tensors.Image):
            return inpt
        changed = self.change(inpt.as_subclass(Tensor).float())
        return tv_tensors.wrap(changed.clamp_(0, 255).to(torch.uint8), like=inpt)

    @abstractmethod
    def change(self, pixels: Tensor) -> Tensor:
        """Float 0..255 [3, H, W] -> the same, changed."""


class LightField(_ImageOnly):
    """Uneven light: endoscopes light the middle, and vessels and walls fall into shadow."""

    @override
    def change(self, pixels: Tensor) -> Tensor:
        return pixels * _smooth_field(pixels, low=0.35, high=1.3)


class Haze(_ImageOnly):
    """Smoke of electrosurgery: a smooth veil of light grey."""

    @override
    def change(self, pixels: Tensor) -> Tensor:
        veil = _smooth_field(pixels, low=0.0, high=float(torch.empty(()).uniform_(0.2, 0.7)))
        grey = float(torch.empty(()).uniform_(150, 235))
        return pixels * (1 - veil) + grey * veil


class SensorNoise(_ImageOnly):
    """Gaussian noise of up to 14 grey steps."""

    @override
    def change(self, pixels: Tensor) -> Tensor:
        return pixels + torch.randn_like(pixels) * float(torch.empty(()).uniform_(2, 14))


class Compression(_ImageOnly):
    """JPEG at a quality of 30 to 90. OpenCV's, as torchvision's codecs are deprecated since 0.29."""

    @override
    def change(self, pixels: Tensor) -> Tensor:
        quality = int(torch.randint(30, 91, ()))
        bgr = pixels.to(torch.uint8).permute(1, 2, 0).flip(-1).contiguous().numpy()
        _, encoded = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
        decoded = torch.from_numpy(cv2.imdecode(encoded, cv2.IMREAD_COLOR))
        return decoded.flip(-1).permute(2, 0, 1).float()


class CircularView(v2.Transform):  # type: ignore[misc]
    """The round picture of an endoscope: black outside a circle, and background in the mask there."""

    @override
    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        height, width = flat_inputs[0].shape[-2:]
        radius = float(torch.empty(()).uniform_(0.42, 0.62)) * max(height, width)
        y = height * float(torch.empty(()).uniform_(0.42, 0.58))
        x = width * float(torch.empty(()).uniform_(0.42, 0.58))
        aspect = float(torch.empty(()).uniform_(0.75, 1.33))
        ys = (torch.arange(height).view(-1, 1) - y) * aspect
        xs = torch.arange(width).view(1, -1) - x
        return {"inside": (ys * ys + xs * xs) <= radius * radius}

    @override
    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return tv_tensors.wrap(inpt.as_subclass(Tensor) * params["inside"], like=inpt)


def _smooth_field(pixels: Tensor, low: float, high: float) -> Tensor:
    """Random field [1, H, W] in low..high, interpolated from 4 x 4 points."""
    coarse = torch.empty(1, 1, 4, 4).uniform_(low, high)
    return F.interpolate(coarse, size=pixels.shape[-2:], mode="bicubic", align_corners=True)[0].clamp(low, high)
