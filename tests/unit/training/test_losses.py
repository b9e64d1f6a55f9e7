"""The losses: cases worked by hand, the same as other implementations where those define the same, absent classes."""

import math
from itertools import pairwise

import numpy as np
import pytest
import segmentation_models_pytorch as smp
import torch
import torch.nn.functional as F
from torch import Tensor
from torchmetrics.functional.segmentation import dice_score
from torchvision.ops import sigmoid_focal_loss

from tests.support.squares import squares_preset
from training.config import LossSpec, Preset
from training.config.loss import LOSS_NAMES
from training.losses import segmentation_loss
from training.losses.lovasz import lovasz
from training.losses.pixel import bce, cross_entropy, focal, mse
from training.losses.region import SMOOTH, dice, jaccard, tversky
from training.losses.weights import class_weights

SURE = 50.0
"""A logit whose probability is 1 (or, negated, 0) in float32."""

HALF = SMOOTH / 2
"""smp adds its smoothing to the overlap, of which Dice takes twice."""


def _binary(*rows: list[int]) -> Tensor:
    """Foreground logits [N, 1, 1, W] that are certain of the given labels."""
    return (torch.tensor(rows).float() * 2 - 1).mul(SURE).view(len(rows), 1, 1, -1)


def _target(*rows: list[int]) -> Tensor:
    return torch.tensor(rows).view(len(rows), 1, -1)


def _several(*rows: list[int], classes: int = 3) -> Tensor:
    """Logits [N, C, 1, W] that are certain of the given labels."""
    return (F.one_hot(torch.tensor(rows), classes).movedim(-1, 1).float() * 2 - 1).mul(SURE).unsqueeze(2)


def _random(channels: int, classes: int, frames: int = 1) -> tuple[Tensor, Tensor]:
    """Logits [N, C, 6, 7] and labels that hold every class."""
    generator = torch.Generator().manual_seed(5)
    target = torch.randint(classes, (frames, 6, 7), generator=generator)
    target[:, 0, :classes] = torch.arange(classes)
    return torch.randn(frames, channels, 6, 7, generator=generator), target


def _only(name: str, **parameters: float) -> LossSpec:
    return LossSpec.model_validate({name: 1.0, **parameters})


# p = 1100, t = 0110: overlap 1, one false positive, one false negative, union 3; smooth 1
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("dice", 1 - (2 + 1) / (2 + 2 + 1)),
        ("jaccard", 1 - (1 + 1) / (3 + 1)),
        ("tversky", 1 - (1 + 1) / (1 + 0.3 + 0.7 + 1)),
        ("lovasz", 1 - 1 / 3),
        ("mse", 2 / 4),
    ],
)
def test_a_half_overlap_by_hand(name: str, value: float) -> None:
    total = segmentation_loss(_binary([1, 1, 0, 0]), _target([0, 1, 1, 0]), _only(name))
    assert total.item() == pytest.approx(value)


def test_tversky_weighs_false_positives_and_misses_apart() -> None:
    positives = _binary([1, 1, 1, 0]), _target([1, 0, 0, 0])
    misses = _binary([1, 0, 0, 0]), _target([1, 1, 1, 0])
    assert tversky(*positives, alpha=0.2, beta=0.9).item() == pytest.approx(1 - 2 / (2 + 0.2 * 2))
    assert tversky(*misses, alpha=0.2, beta=0.9).item() == pytest.approx(1 - 2 / (2 + 0.9 * 2))


@pytest.mark.parametrize("loss", [dice, jaccard, tversky, lovasz])
def test_region_losses_are_means_over_frames_not_over_pixels(loss: "type[object]") -> None:
    first = _binary([1, 1, 0, 0]), _target([0, 1, 1, 0])
    both = _binary([1, 1, 0, 0], [1, 1, 1, 1]), _target([0, 1, 1, 0], [1, 1, 1, 1])
    assert loss(*both).item() == pytest.approx(loss(*first).item() / 2)  # type: ignore[attr-defined, call-arg]


@pytest.mark.parametrize("name", LOSS_NAMES)
@pytest.mark.parametrize("channels", [1, 3])
def test_a_perfect_answer_costs_nothing(name: str, channels: int) -> None:
    labels = [0, 1, 1, 0] if channels == 1 else [0, 1, 2, 0]
    logits = _binary(labels) if channels == 1 else _several(labels)
    assert segmentation_loss(logits, _target(labels), _only(name)).item() == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("name", LOSS_NAMES)
@pytest.mark.parametrize("channels", [1, 3])
def test_an_empty_frame_answered_with_nothing_costs_nothing(name: str, channels: int) -> None:
    empty = [0, 0, 0, 0]
    logits = _binary(empty) if channels == 1 else _several(empty)
    assert segmentation_loss(logits, _target(empty), _only(name)).item() == pytest.approx(0, abs=1e-6)


# 3 false positives on 4 empty pixels
@pytest.mark.parametrize(
    ("name", "value"),
    [("dice", 1 - 1 / 4), ("jaccard", 1 - 1 / 4), ("tversky", 1 - 1 / (0.3 * 3 + 1)), ("lovasz", 1.0), ("mse", 3 / 4)],
)
def test_false_positives_on_an_empty_frame_are_punished(name: str, value: float) -> None:
    total = segmentation_loss(_binary([1, 1, 1, 0]), _target([0, 0, 0, 0]), _only(name))
    assert total.item() == pytest.approx(value)


def test_an_absent_class_of_several_keeps_its_term() -> None:
    # class 1 exact (0); class 2 absent, but predicted on 1 of 3 pixels
    logits, target = _several([1, 0, 2]), _target([1, 0, 0])
    assert dice(logits, target).item() == pytest.approx((0.0 + 0.5) / 2)
    assert jaccard(logits, target).item() == pytest.approx((0.0 + 0.5) / 2)
    assert lovasz(logits, target).item() == pytest.approx((0.0 + 1.0) / 2)


@pytest.mark.parametrize("name", LOSS_NAMES)
def test_the_gradient_on_an_empty_frame_lowers_false_positives(name: str) -> None:
    logits = torch.linspace(-1, 1, 16).view(1, 1, 4, 4).requires_grad_()
    segmentation_loss(logits, torch.zeros(1, 4, 4, dtype=torch.long), _only(name)).backward()
    assert logits.grad is not None
    assert (logits.grad >= 0).all()
    assert logits.grad.sum() > 0


def test_cross_entropy_of_an_undecided_net_is_the_logarithm_of_the_classes() -> None:
    assert cross_entropy(torch.zeros(1, 1, 1, 4), _target([0, 1, 1, 0])).item() == pytest.approx(math.log(2))
    assert cross_entropy(torch.zeros(1, 3, 1, 4), _target([0, 1, 2, 0])).item() == pytest.approx(math.log(3))


def test_focal_loss_by_hand() -> None:
    # p = 1/2 of the true class: (1/2)^2 log 2; alpha 0.25 for the one foreground pixel of four
    logits, target = torch.zeros(1, 1, 1, 4), _target([0, 1, 0, 0])
    assert focal(logits, target).item() == pytest.approx(0.25 * math.log(2))
    weighted = 0.25 * math.log(2) * (0.25 + 3 * 0.75) / 4
    assert focal(logits, target, alpha=0.25).item() == pytest.approx(weighted)


def test_focal_loss_without_focus_is_cross_entropy() -> None:
    logits, target = _random(3, 3)
    assert focal(logits, target, gamma=0.0).item() == pytest.approx(cross_entropy(logits, target).item())


def test_binary_losses_agree_with_other_implementations() -> None:
    logits, target = _random(1, 2)
    truth = target.unsqueeze(1).float()
    assert dice(logits, target).item() == pytest.approx(
        smp.losses.DiceLoss("binary", smooth=HALF)(logits, truth).item()
    )
    assert jaccard(logits, target).item() == pytest.approx(
        smp.losses.JaccardLoss("binary", smooth=SMOOTH)(logits, truth).item()
    )
    theirs = smp.losses.TverskyLoss("binary", smooth=SMOOTH, alpha=0.3, beta=0.7)(logits, truth)
    assert tversky(logits, target).item() == pytest.approx(theirs.item())
    reference = sigmoid_focal_loss(logits, truth, alpha=0.25, gamma=2.0, reduction="mean")
    assert focal(logits, target, alpha=0.25).item() == pytest.approx(reference.item())
    assert mse(logits, target).item() == pytest.approx(F.mse_loss(logits.sigmoid(), truth).item())


@pytest.mark.parametrize(
    ("own", "theirs"),
    [
        (dice, smp.losses.DiceLoss("multiclass", smooth=HALF)),
        (jaccard, smp.losses.JaccardLoss("multiclass", smooth=SMOOTH)),
        (tversky, smp.losses.TverskyLoss("multiclass", smooth=SMOOTH, alpha=0.3, beta=0.7)),
        (lovasz, smp.losses.LovaszLoss("multiclass")),
    ],
    ids=["dice", "jaccard", "tversky", "lovasz"],
)
def test_losses_of_several_classes_agree_with_smp(own: "type[object]", theirs: torch.nn.Module) -> None:
    """Theirs counts background too: each class takes a turn as background, and the mean of the turns is the same."""
    logits, target = _random(3, 3)
    turns = [own(logits.roll(k, dims=1), (target + k) % 3).item() for k in range(3)]  # type: ignore[attr-defined, call-arg]
    assert np.mean(turns) == pytest.approx(theirs(logits, target).item())


def test_dice_without_smoothing_of_a_sure_net_is_that_of_torchmetrics() -> None:
    _, target = _random(3, 3, frames=2)
    predicted = target.roll(1, dims=2)
    predicted[:, 0, :3] = torch.tensor([0, 1, 2])
    logits = (F.one_hot(predicted, 3).movedim(-1, 1).float() * 2 - 1) * SURE
    score = dice_score(predicted, target, 3, include_background=False, average="none", input_format="index")
    areas = torch.stack([((predicted == c).sum((1, 2)) + (target == c).sum((1, 2))) for c in (1, 2)], dim=1)
    smoothed = (score.reshape(2, 2) * areas + SMOOTH) / (areas + SMOOTH)
    assert dice(logits, target).item() == pytest.approx(1 - smoothed.mean().item())


def test_lovasz_is_the_jaccard_loss_at_every_corner() -> None:
    for first, second in pairwise([0b0110, 0b1100, 0b0111, 0b1000]):
        predicted = [first >> k & 1 for k in range(4)]
        true = [second >> k & 1 for k in range(4)]
        union = sum(p | t for p, t in zip(predicted, true, strict=True))
        both = sum(p & t for p, t in zip(predicted, true, strict=True))
        assert lovasz(_binary(predicted), _target(true)).item() == pytest.approx(1 - both / union)


def test_bce_asks_one_question_a_class() -> None:
    logits, target = _random(3, 3)
    truth = F.one_hot(target, 3).movedim(-1, 1).float()
    assert bce(logits, target).item() == pytest.approx(F.binary_cross_entropy_with_logits(logits, truth).item())
    binary, labels = _random(1, 2)
    assert bce(binary, labels).item() == pytest.approx(cross_entropy(binary, labels).item())


def test_class_weights_are_those_of_torch_for_cross_entropy() -> None:
    logits, target = _random(3, 3)
    weights = torch.tensor([0.2, 1.0, 3.0])
    assert cross_entropy(logits, target, weights).item() == pytest.approx(
        F.cross_entropy(logits, target, weight=weights).item()
    )


@pytest.mark.parametrize("name", LOSS_NAMES)
@pytest.mark.parametrize("channels", [1, 3])
def test_equal_class_weights_change_nothing(name: str, channels: int) -> None:
    classes = max(2, channels)
    logits, target = _random(channels, classes)
    spec = _only(name)
    plain = segmentation_loss(logits, target, spec)
    assert segmentation_loss(logits, target, spec, torch.ones(classes)).item() == pytest.approx(plain.item())


@pytest.mark.parametrize("name", LOSS_NAMES)
def test_a_heavier_class_counts_more(name: str) -> None:
    logits = torch.zeros(1, 3, 1, 4, requires_grad=True)
    target = _target([0, 1, 2, 2])
    weights = torch.tensor([1.0, 1.0, 9.0])
    plain = torch.autograd.grad(segmentation_loss(logits, target, _only(name)), logits)[0]
    heavy = torch.autograd.grad(segmentation_loss(logits, target, _only(name), weights), logits)[0]

    def share(gradient: Tensor) -> float:
        return float(gradient[0, 2].abs().sum() / gradient.abs().sum())

    assert share(heavy) > share(plain)


def test_the_parts_are_weighted_and_only_those_named_take_part() -> None:
    logits, target = torch.zeros(1, 1, 1, 4), _target([0, 1, 1, 0])
    # p = 0.5 everywhere: overlap 1, sizes 2 + 2: dice 1 - 3 / 5
    total = segmentation_loss(logits, target, LossSpec(cross_entropy=2.0, dice=0.5))
    assert total.item() == pytest.approx(2 * math.log(2) + 0.5 * 0.4)
    assert segmentation_loss(logits, target, LossSpec(dice=0.5)).item() == pytest.approx(0.5 * 0.4)


def _weighted(rule: object) -> Preset:
    named = [("background", "#000000"), ("shaft", "#ff0000"), ("tip", "#00ff00"), ("clip", "#0000ff")]
    content = squares_preset().model_dump(mode="json") | {
        "classes": [{"name": n, "colour": c} for n, c in named],
        "merge": {},
        "class_weights": rule,
    }
    return Preset.model_validate(content)


MASKS = [np.array([[0, 0, 0, 1]], np.uint8), np.array([[0, 0, 1, 2]], np.uint8), np.array([[0, 0, 0, 0]], np.uint8)]
"""12 pixels: 9 background, 2 shaft, 1 tip, no clip."""


def test_inverse_frequency_by_hand() -> None:
    found = class_weights(_weighted("inverse_frequency"), MASKS)
    assert found == pytest.approx([12 / (4 * 9), 12 / (4 * 2), 12 / (4 * 1), 1.0])


@pytest.mark.parametrize("rule", ["auto", "median_frequency"])
def test_median_frequency_by_hand(rule: str) -> None:
    # shares in the frames that hold the class: 9 / 12, 2 / 8, 1 / 4; their median 1 / 4
    assert class_weights(_weighted(rule), MASKS) == pytest.approx([1 / 3, 1.0, 1.0, 1.0])


def test_weights_are_given_by_name() -> None:
    assert class_weights(_weighted({"tip": 4.0}), MASKS) == [1.0, 1.0, 4.0, 1.0]
    assert class_weights(_weighted(None), MASKS) is None
