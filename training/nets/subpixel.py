"""A U-Net that stops short of its input's size and draws the rest of the mask by sub-pixel convolution.

On a CPU the last blocks of a U-Net's decoder (many pixels, few channels) and its head take two fifths of a frame's
time. Here the head gives the logits of a square of pixels as channels of one, as in Shi et al., Real-Time Single Image
and Video Super-Resolution Using an Efficient Sub-Pixel Convolutional Neural Network, CVPR 2016.
"""

import segmentation_models_pytorch as smp
import torch
from torch import nn

from training.errors import PresetError


def end_at_stride(body: nn.Module, stride: int, classes: int) -> None:
    """Drops the blocks of a U-Net's decoder that are finer than 1/`stride` of the input; its head draws from there.

    `stride` is a power of two, of which the decoder keeps a block at least. Raises PresetError for another net.
    """
    if not isinstance(body, smp.Unet):
        raise PresetError(f"output_stride {stride} is for architecture unet, this one is {type(body).__name__.lower()}")
    kept = len(body.decoder.blocks) - stride.bit_length() + 1
    if kept < 1:
        raise PresetError(f"output_stride {stride} leaves no block of a decoder of {len(body.decoder.blocks)} blocks")
    body.decoder.blocks = body.decoder.blocks[:kept]
    body.segmentation_head = _subpixel_head(body.decoder.blocks[-1].conv2[0].out_channels, classes, stride)


def _subpixel_head(features: int, classes: int, stride: int) -> nn.Sequential:
    """Features [N, F, h, w] -> logits [N, C, h * stride, w * stride].

    All pixels of a square start with the same weights, so that no pattern of squares has to be unlearned (Aitken et
    al., Checkerboard artifact free sub-pixel convolution, 2017).
    """
    convolution = nn.Conv2d(features, classes * stride**2, kernel_size=3, padding=1)
    first = nn.Conv2d(features, classes, kernel_size=3, padding=1)
    with torch.no_grad():
        convolution.weight.copy_(first.weight.repeat_interleave(stride**2, dim=0))
        convolution.bias.zero_()  # type: ignore[union-attr]
    return nn.Sequential(convolution, nn.PixelShuffle(stride))
