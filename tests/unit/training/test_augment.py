"""Augmentation: masks follow images, dtypes and sizes hold, and each own transform does what it says."""

import pytest
import torch
from torchvision import tv_tensors

from training.augment import CircularView, Compression, Haze, LightField, SensorNoise, build_augmentation
from training.config import AugmentSpec
from training.config.augment import nothing


def _pair(height: int = 80, width: int = 100) -> tuple[tv_tensors.Image, tv_tensors.Mask]:
    """A white rectangle on black, which is the mask too."""
    mask = torch.zeros(1, height, width, dtype=torch.uint8)
    mask[:, 20:60, 30:80] = 1
    return tv_tensors.Image(mask.expand(3, -1, -1) * 255), tv_tensors.Mask(mask)


def test_masks_follow_images() -> None:
    torch.manual_seed(0)
    still = {"brightness": 0, "contrast": 0, "saturation": 0, "hue": 0, "blur": 0, "noise": 0, "jpeg": 0}
    augment = build_augmentation(AugmentSpec(**still, light_field=0, haze=0, circular_view=0.5), 64, 64)
    agreement = []
    for _ in range(20):
        image, mask = augment(*_pair())
        assert (image.shape, mask.shape, image.dtype, mask.dtype) == (
            (3, 64, 64),
            (1, 64, 64),
            torch.uint8,
            torch.uint8,
        )
        agreement.append(((image[0] > 127) == (mask[0] == 1)).float().mean().item())
    assert min(agreement) > 0.97
    assert set(mask.unique().tolist()) <= {0, 1}


def test_everything_at_once_still_gives_uint8_of_the_asked_size() -> None:
    torch.manual_seed(0)
    sure = dict.fromkeys(
        ["grey", "blur", "noise", "jpeg", "light_field", "haze", "circular_view", "vertical_flip"], 1.0
    )
    image, mask = build_augmentation(AugmentSpec(**sure), 64, 96)(*_pair())
    assert (image.shape, mask.shape, image.dtype) == ((3, 64, 96), (1, 64, 96), torch.uint8)


@pytest.mark.parametrize(
    "transform", [LightField(), Haze(), SensorNoise(), Compression()], ids=lambda t: type(t).__name__
)
def test_light_and_sensor_leave_the_mask_alone(transform: torch.nn.Module) -> None:
    torch.manual_seed(0)
    image, mask = _pair()
    changed, same = transform(image, mask)
    assert torch.equal(same, mask)
    assert changed.dtype == torch.uint8
    assert not torch.equal(changed, image)


def test_compression_keeps_the_order_of_the_channels() -> None:
    red = tv_tensors.Image(torch.tensor([200, 30, 60], dtype=torch.uint8).view(3, 1, 1).repeat(1, 32, 32))
    changed = Compression()(red)
    assert (changed.float().mean(dim=(1, 2)) - torch.tensor([200.0, 30, 60])).abs().max() < 12


def test_outside_the_circular_view_is_black_and_background() -> None:
    torch.manual_seed(0)
    image = tv_tensors.Image(torch.full((3, 80, 100), 255, dtype=torch.uint8))
    mask = tv_tensors.Mask(torch.ones(1, 80, 100, dtype=torch.uint8))
    seen, truth = CircularView()(image, mask)
    assert torch.equal(seen[0] > 0, truth[0] == 1)
    assert 0.2 < truth.float().mean() < 1
    assert seen[:, 40, 50].tolist() == [255, 255, 255]


def test_nothing_leaves_every_pixel_as_it_is() -> None:
    torch.manual_seed(0)
    image, mask = _pair()
    augment = build_augmentation(AugmentSpec.model_validate("none"), 80, 100)
    for _ in range(5):
        changed, same = augment(image, mask)
        assert torch.equal(changed, image)
        assert torch.equal(same, mask)


def test_nothing_still_brings_frames_to_the_asked_size() -> None:
    image, mask = build_augmentation(AugmentSpec.model_validate("none"), 40, 50)(*_pair())
    assert (image.shape, mask.shape) == ((3, 40, 50), (1, 40, 50))
    assert set(mask.unique().tolist()) == {0, 1}


STRENGTHS = {
    "horizontal_flip": 1.0,
    "vertical_flip": 1.0,
    "degrees": 90.0,
    "scale": (0.5, 0.6),
    "translate": 0.5,
    "shear_degrees": 40.0,
    "crop_scale": (0.3, 0.4),
    "brightness": 0.9,
    "contrast": 0.9,
    "saturation": 0.9,
    "hue": 0.5,
    "grey": 1.0,
    "blur": 1.0,
    "noise": 1.0,
    "jpeg": 1.0,
    "light_field": 1.0,
    "haze": 1.0,
}
MOVES = {"horizontal_flip", "vertical_flip", "degrees", "scale", "translate", "shear_degrees", "crop_scale"}


@pytest.mark.parametrize("name", list(STRENGTHS))
def test_each_strength_alone_changes_the_picture_and_moves_alone_change_the_mask(name: str) -> None:
    torch.manual_seed(0)
    colours = torch.tensor([200, 90, 40], dtype=torch.uint8).view(3, 1, 1)
    _, mask = _pair()
    mask[:, 20:30, 30:40] = 0  # no symmetry
    image = tv_tensors.Image(torch.where(mask.bool(), colours, colours // 2 + 20))
    augment = build_augmentation(AugmentSpec(**{**nothing(), name: STRENGTHS[name]}), 80, 100)
    pairs = [augment(image, mask) for _ in range(8)]
    assert any(not torch.equal(changed, image) for changed, _ in pairs)
    moved = any(not torch.equal(truth, mask) for _, truth in pairs)
    assert moved == (name in MOVES)


def test_every_strength_is_tried_here_or_in_a_test_of_its_own() -> None:
    assert set(STRENGTHS) | {"circular_view", "paste"} == set(AugmentSpec.model_fields)
