"""The losses on cases worked by hand."""

import math

import pytest
import torch
from torch import Tensor

from training.config import LossSpec
from training.losses import cross_entropy, dice_loss, segmentation_loss

SURE = 50.0
"""A logit whose probability is 1 (or, negated, 0) in float32."""


def _binary(*rows: list[int]) -> Tensor:
    """Foreground logits [N, 1, 1, W] that are certain of the given labels."""
    return (torch.tensor(rows).float() * 2 - 1).mul(SURE).view(len(rows), 1, 1, -1)


def _target(*rows: list[int]) -> Tensor:
    return torch.tensor(rows).view(len(rows), 1, -1)


def test_dice_of_a_half_overlap_by_hand() -> None:
    # p = 1100, t = 0110: overlap 1, sizes 2 + 2, smooth 1: 1 - (2 + 1) / (4 + 1)
    assert dice_loss(_binary([1, 1, 0, 0]), _target([0, 1, 1, 0])).item() == pytest.approx(0.4)


def test_dice_is_the_mean_over_frames_not_over_pixels() -> None:
    logits, target = _binary([1, 1, 0, 0], [1, 1, 1, 1]), _target([0, 1, 1, 0], [1, 1, 1, 1])
    assert dice_loss(logits, target).item() == pytest.approx((0.4 + 0.0) / 2)


def test_an_empty_mask_answered_with_nothing_costs_nothing() -> None:
    assert dice_loss(_binary([0, 0, 0, 0]), _target([0, 0, 0, 0])).item() == pytest.approx(0.0, abs=1e-6)


def test_false_positives_on_an_empty_mask_are_punished() -> None:
    # overlap 0, sizes 3 + 0: 1 - 1 / 4
    assert dice_loss(_binary([1, 1, 1, 0]), _target([0, 0, 0, 0])).item() == pytest.approx(0.75)


def test_an_absent_class_of_several_keeps_its_term() -> None:
    # class 1 exact (0), class 2 absent but predicted on 1 of 3 pixels: 1 - 1 / 2
    logits = torch.full((1, 3, 1, 3), -SURE)
    for x, label in enumerate([1, 0, 2]):
        logits[0, label, 0, x] = SURE
    assert dice_loss(logits, _target([1, 0, 0])).item() == pytest.approx((0.0 + 0.5) / 2)


def test_cross_entropy_of_an_undecided_net_is_the_logarithm_of_the_classes() -> None:
    assert cross_entropy(torch.zeros(1, 1, 1, 4), _target([0, 1, 1, 0])).item() == pytest.approx(math.log(2))
    assert cross_entropy(torch.zeros(1, 3, 1, 4), _target([0, 1, 2, 0])).item() == pytest.approx(math.log(3))


def test_the_parts_are_weighted() -> None:
    logits, target = torch.zeros(1, 1, 1, 4), _target([0, 1, 1, 0])
    # p = 0.5 everywhere: overlap 1, sizes 2 + 2: dice 1 - 3 / 5
    total = segmentation_loss(logits, target, LossSpec(cross_entropy=2.0, dice=0.5))
    assert total.item() == pytest.approx(2 * math.log(2) + 0.5 * 0.4)


def test_the_gradient_on_an_empty_frame_lowers_false_positives() -> None:
    logits = torch.zeros(1, 1, 4, 4, requires_grad=True)
    segmentation_loss(logits, torch.zeros(1, 4, 4, dtype=torch.long), LossSpec()).backward()
    assert logits.grad is not None
    assert (logits.grad > 0).all()
