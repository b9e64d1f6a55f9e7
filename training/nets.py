"""The nets: an encoder pretrained on ImageNet under a U-Net decoder, and the part of preprocessing inside the graph."""

from pathlib import Path

import segmentation_models_pytorch as smp
import torch
from torch import Tensor, nn

from training.config import NetSpec
from training.errors import PresetError

MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
"""Of ImageNet, in units of 0..1. One constant for training and export; the service never sees it."""

_HEAD_KEYS = ("conv_head.", "bn2.", "classifier.")
"""Parts of a timm classifier that a segmentation encoder does not have."""


class SegmentationNet(nn.Module):
    """uint8 frames to logits; normalisation is part of the net, so that it can't be forgotten."""

    mean: Tensor
    std: Tensor

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1) * 255)
        self.register_buffer("std", torch.tensor(STD).view(1, 3, 1, 1) * 255)

    def forward(self, frames: Tensor) -> Tensor:
        """RGB uint8 (or float 0..255) [N, 3, h, w] -> logits [N, C, h, w]."""
        normalised: Tensor = (frames.float() - self.mean) / self.std
        logits: Tensor = self.body(normalised)
        return logits


def build_net(spec: NetSpec, channels: int, pretrained: Path | str | None) -> SegmentationNet:
    """`pretrained`: a file in timm's naming, `hub` to download from timm's hub, None for random weights."""
    from_hub = "imagenet" if pretrained == "hub" else None
    body = smp.Unet(spec.encoder, encoder_weights=from_hub, in_channels=3, classes=channels)
    if isinstance(pretrained, Path):
        _load_encoder(body, pretrained)
    return SegmentationNet(body)


def _load_encoder(body: nn.Module, path: Path) -> None:
    if not path.is_file():
        raise PresetError(f"encoder weights {path} are missing; give another file, or none to take timm's hub")
    state = torch.load(path, map_location="cpu", weights_only=True)
    wanted = {key: value for key, value in state.items() if not key.startswith(_HEAD_KEYS)}
    encoder = body.get_submodule("encoder.model")
    result = encoder.load_state_dict(wanted, strict=False)
    missing = [key for key in result.missing_keys if not key.endswith("num_batches_tracked")]
    if missing or result.unexpected_keys:
        raise PresetError(
            f"{path.name} does not fit the encoder: {len(missing)} weights missing {missing[:2]}, "
            f"{len(result.unexpected_keys)} unknown {result.unexpected_keys[:2]}"
        )
