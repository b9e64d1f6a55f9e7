"""Which inputs a net takes."""

import pytest
import torch
from torch import nn

from training.config import NetSpec
from training.errors import PresetError
from training.nets.input_size import check_input_size
from training.nets.segmentation import SegmentationNet, build_net


def test_a_unet_takes_any_size_and_deeplab_says_which_are_near() -> None:
    check_input_size(build_net(NetSpec(), 1, None), 33, 64)
    net = build_net(NetSpec(architecture="deeplabv3plus", encoder="resnet18"), 1, None)
    check_input_size(net, 64, 96)
    said = r"input of 100x96 \(height x width\): the nearest that it takes are 96x96 and 112x96, multiples of 16"
    with pytest.raises(PresetError, match=said):
        check_input_size(net, 100, 96)


class _Square(nn.Module):
    """Takes what a transformer with a fixed window takes: 224 x 224."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Conv2d(3, 1, 1)

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        if frames.shape[-2:] != (224, 224):
            raise ValueError("Input height doesn't match model")
        logits: torch.Tensor = self.head(frames)
        return logits


class _Halving(_Square):
    """Gives a mask of half the size, whatever comes."""

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.head(frames)[..., ::2, ::2]
        return logits


def test_a_net_of_one_size_names_it() -> None:
    check_input_size(SegmentationNet(_Square()), 224, 224)
    with pytest.raises(PresetError, match=r"input of 256x320 .*: it takes 224x224"):
        check_input_size(SegmentationNet(_Square()), 256, 320)


def test_a_mask_of_another_size_is_refused() -> None:
    with pytest.raises(PresetError, match="its mask would be 32x16"):
        check_input_size(SegmentationNet(_Halving()), 64, 32)
