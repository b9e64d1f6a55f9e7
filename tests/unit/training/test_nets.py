"""Nets: normalisation inside, encoder weights from a local file, and a file that does not fit."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from training.config import NetSpec
from training.errors import PresetError
from training.nets import MEAN, STD, SegmentationNet, build_net

REAL_WEIGHTS = Path(__file__).parents[4] / "shared" / "weights" / "tf_efficientnet_lite0.pth"


def _encoder_weights(net: SegmentationNet) -> dict[str, Tensor]:
    return dict(net.body.get_submodule("encoder.model").state_dict())


def test_normalisation_is_part_of_the_net() -> None:
    net = SegmentationNet(torch.nn.Identity())
    pixels = torch.tensor([10, 128, 250], dtype=torch.uint8).view(1, 3, 1, 1)
    wanted = [(value / 255 - mean) / std for value, mean, std in zip((10, 128, 250), MEAN, STD, strict=True)]
    assert net(pixels).flatten().tolist() == pytest.approx(wanted, abs=1e-5)


def test_encoder_weights_come_from_a_file_and_the_classifier_is_left_out(tmp_path: Path) -> None:
    torch.manual_seed(1)
    weights = _encoder_weights(build_net(NetSpec(), 1, None))
    torch.save(
        {**weights, "classifier.weight": torch.zeros(2, 2), "conv_head.weight": torch.zeros(1)}, tmp_path / "w.pth"
    )
    torch.manual_seed(2)
    loaded = _encoder_weights(build_net(NetSpec(), 1, tmp_path / "w.pth"))
    assert all(torch.equal(loaded[name], value) for name, value in weights.items())


def test_weights_of_another_encoder_are_refused(tmp_path: Path) -> None:
    torch.save({"layer1.weight": torch.zeros(2)}, tmp_path / "other.pth")
    with pytest.raises(PresetError, match=r"other\.pth does not fit the encoder: \d+ weights missing .* 1 unknown"):
        build_net(NetSpec(), 1, tmp_path / "other.pth")


def test_a_missing_weight_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(PresetError, match=r"absent\.pth are missing"):
        build_net(NetSpec(), 1, tmp_path / "absent.pth")


@pytest.mark.data
def test_the_imagenet_weights_fit_the_encoder() -> None:
    if not REAL_WEIGHTS.is_file():
        pytest.skip("the ImageNet weights are not beside the project")
    loaded = _encoder_weights(build_net(NetSpec(), 1, REAL_WEIGHTS))
    stored = torch.load(REAL_WEIGHTS, weights_only=True)
    assert torch.equal(loaded["conv_stem.weight"], stored["conv_stem.weight"].float())
