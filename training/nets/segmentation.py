"""The nets: any architecture of segmentation_models_pytorch, and the part of preprocessing inside the graph."""

from collections.abc import Callable
from functools import partial
from inspect import signature
from pathlib import Path

import segmentation_models_pytorch as smp
import torch
from torch import Tensor, nn

from training.config import NetSpec
from training.errors import PresetError
from training.nets.encoder_weights import drop_classifier, hub_weights, load_encoder
from training.nets.subpixel import end_at_stride

MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
"""Of ImageNet, in units of 0..1. One constant for training and export; the service never sees it."""


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
    """`pretrained`: a file of encoder weights, `hub` to download them, None for random weights. Raises PresetError."""
    body = _build_body(spec, channels, hub_weights(spec.encoder) if pretrained == "hub" else None)
    if spec.output_stride > 1:
        end_at_stride(body, spec.output_stride, channels)
    encoder = body.get_submodule("encoder")
    drop_classifier(encoder)
    if isinstance(pretrained, Path):
        load_encoder(encoder, pretrained)
    return SegmentationNet(body)


def depthwise_in_float32(net: nn.Module) -> None:
    """Makes the depthwise convolutions of `net` leave autocast on a CPU.

    oneDNN computes their bfloat16 gradients 4 to 9 times slower than float32 ones (5 x 5, two cores of a CPU with
    AVX-512 bfloat16); with this a training step of a U-Net on lite2 takes about two thirds of its time.
    """
    for module in net.modules():
        if isinstance(module, nn.Conv2d) and module.groups == module.in_channels > 1:
            module.forward = partial(_without_autocast, module.forward)  # type: ignore[method-assign]


def _without_autocast(forward: Callable[[Tensor], Tensor], features: Tensor) -> Tensor:
    with torch.autocast(features.device.type, enabled=False):
        return forward(features.float())


def _build_body(spec: NetSpec, channels: int, encoder_weights: str | bool | None) -> nn.Module:
    try:
        body: nn.Module = smp.create_model(
            spec.architecture,
            encoder_name=spec.encoder,
            encoder_weights=encoder_weights,
            in_channels=3,
            classes=channels,
            **spec.options,
        )
    except OSError as error:
        raise PresetError(
            f"the weights of {spec.encoder} could not be downloaded ({error}); give a file with --encoder-weights, "
            "or `none` for random weights"
        ) from error
    except (AssertionError, AttributeError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise PresetError(f"{spec.architecture} on {spec.encoder} can't be built: {error}") from error
    _refuse_dropped_options(spec, body)
    return body


def _refuse_dropped_options(spec: NetSpec, body: nn.Module) -> None:
    """An architecture hands what it does not know to the encoder. One of timm refuses what it doesn't know either; one
    of smp takes `output_stride` and drops the rest.
    """
    known = {*signature(type(body)).parameters, "output_stride"}
    unknown = sorted(set(spec.options) - known)
    of_timm = spec.encoder.startswith("tu-") or smp.encoders.is_equivalent_to_timm_universal(spec.encoder)
    if unknown and not of_timm:
        raise PresetError(f"{spec.architecture} on {spec.encoder} has no option {', '.join(unknown)}")
