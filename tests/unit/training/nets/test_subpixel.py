"""The head that draws a mask's pixels from features of fewer: where each pixel comes from, and where it starts."""

import pytest
import torch

from training.config import NetSpec
from training.nets.segmentation import build_net


@pytest.mark.parametrize(("stride", "classes"), [(2, 1), (4, 3)])
def test_a_new_head_starts_with_even_squares(stride: int, classes: int) -> None:
    torch.manual_seed(4)
    net = build_net(NetSpec(output_stride=stride), classes, None).eval()
    with torch.inference_mode():
        logits = net(torch.randint(0, 256, (1, 3, 64, 96), dtype=torch.uint8))
    squares = logits.unfold(2, stride, stride).unfold(3, stride, stride).flatten(4)
    assert torch.equal(squares.amax(4), squares.amin(4))
    assert logits.std() > 0
    planes = logits[0].flatten(1)
    assert all(not torch.equal(planes[0], other) for other in planes[1:]), "each class has weights of its own"


def test_each_channel_of_the_head_is_one_pixel_of_its_square() -> None:
    net = build_net(NetSpec(output_stride=4), 2, None).eval()
    head = net.get_submodule("body.segmentation_head")
    convolution = head.get_submodule("0")
    with torch.no_grad():
        convolution.weight.zero_()  # type: ignore[operator,union-attr]
        convolution.bias.copy_(torch.arange(32.0))  # type: ignore[operator,union-attr]
        drawn = head(torch.zeros(1, convolution.in_channels, 2, 3))  # type: ignore[arg-type]
    square = torch.arange(16.0).view(4, 4)
    assert torch.equal(drawn[0, 0], square.repeat(2, 3))
    assert torch.equal(drawn[0, 1], square.repeat(2, 3) + 16)


def test_only_the_coarse_blocks_of_the_decoder_are_kept() -> None:
    whole, short = (build_net(NetSpec(output_stride=stride), 1, None) for stride in (1, 4))
    names = {name.split(".")[3] for name, _ in short.named_parameters() if name.startswith("body.decoder.blocks.")}
    assert names == {"0", "1", "2"}
    assert sum(p.numel() for p in short.parameters()) < sum(p.numel() for p in whole.parameters())
