"""Optimisers and schedules: every name trains, parameters arrive, rates follow their formula."""

import pytest
import torch
from pydantic import ValidationError
from torch import nn

from tests.support.squares import with_changes
from training.config import OptimiserSpec, Preset
from training.config.optimisation import PARAMETERS
from training.fitting.optimisers import OPTIMISERS, build_optimiser, build_schedule, rate_share
from training.nets.segmentation import SegmentationNet


class _Body(nn.Module):
    """Two weights: one of an encoder, one of what follows."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Conv2d(3, 1, 1)
        self.head = nn.Conv2d(1, 1, 1)

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.head(self.encoder(frames))
        return logits


@pytest.mark.parametrize("name", list(PARAMETERS))
def test_every_optimiser_lowers_a_loss(preset: Preset, name: str) -> None:
    torch.manual_seed(0)
    net = SegmentationNet(_Body())
    optimiser = build_optimiser(net, with_changes(preset, optimiser={"name": name}, learning_rate=1e-2))
    frames = torch.randint(0, 256, (2, 3, 8, 8), dtype=torch.uint8)

    def step() -> float:
        optimiser.zero_grad()
        loss = (net(frames) ** 2).mean()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        return loss.item()

    first, *_, last = [step() for _ in range(20)]
    assert last < first
    assert type(optimiser) is OPTIMISERS[name]


def test_the_encoder_has_a_rate_of_its_own(preset: Preset) -> None:
    changed = with_changes(preset, learning_rate=0.01, encoder_rate_factor=0.1, weight_decay=0.3)
    encoder, rest = build_optimiser(SegmentationNet(_Body()), changed).param_groups
    assert (encoder["lr"], rest["lr"]) == (pytest.approx(0.001), 0.01)
    assert encoder["weight_decay"] == rest["weight_decay"] == 0.3


@pytest.mark.parametrize(
    ("spec", "arrives"),
    [
        ({"name": "sgd", "momentum": 0.8, "nesterov": True}, {"momentum": 0.8, "nesterov": True}),
        ({"name": "rmsprop", "smoothing": 0.9, "centred": True}, {"alpha": 0.9, "centered": True}),
        ({"name": "adam", "betas": [0.5, 0.9], "eps": 1e-6}, {"betas": (0.5, 0.9), "eps": 1e-6}),
        ({"name": "nadam", "momentum_decay": 0.01}, {"momentum_decay": 0.01}),
        ({"name": "adagrad", "rate_decay": 0.02}, {"lr_decay": 0.02}),
        ({"name": "adadelta", "rho": 0.7}, {"rho": 0.7}),
    ],
)
def test_parameters_arrive_under_torchs_names(
    preset: Preset, spec: dict[str, object], arrives: dict[str, object]
) -> None:
    group = build_optimiser(SegmentationNet(_Body()), with_changes(preset, optimiser=spec)).param_groups[0]
    assert {name: group[name] for name in arrives} == arrives


def test_a_parameter_of_another_optimiser_is_refused() -> None:
    with pytest.raises(ValidationError, match="adam has no momentum; it has betas, eps"):
        OptimiserSpec(name="adam", momentum=0.9)
    with pytest.raises(ValidationError, match="nesterov needs a momentum"):
        OptimiserSpec(name="sgd", nesterov=True)


def _shares(preset: Preset, name: str, warmup: float = 0.0, **more: float) -> list[float]:
    changed = with_changes(preset, schedule={"name": name, **more}, warmup_share=warmup)
    return [rate_share(changed, step, 10) for step in range(11)]


def test_a_cosine_ends_at_a_hundredth(preset: Preset) -> None:
    shares = _shares(preset, "cosine")
    assert shares[0] == 1
    assert shares[5] == pytest.approx(0.505)
    assert shares[10] == pytest.approx(0.01)


def test_a_polynomial_ends_at_nothing(preset: Preset) -> None:
    shares = _shares(preset, "polynomial", power=2.0)
    assert (shares[0], shares[5], shares[10]) == (1, pytest.approx(0.25), 0)


def test_the_rate_rises_first(preset: Preset) -> None:
    for name in ("cosine", "constant", "polynomial"):
        shares = _shares(preset, name, warmup=0.4)
        assert shares[:5] == pytest.approx([0.25, 0.5, 0.75, 1, 1])


def test_a_plateau_lowers_the_rate_after_its_patience(preset: Preset) -> None:
    changed = with_changes(preset, schedule={"name": "plateau", "monitor": "val_dice", "factor": 0.5, "patience": 1})
    optimiser = build_optimiser(SegmentationNet(_Body()), changed)
    schedule = build_schedule(optimiser, changed, 10)
    rates = []
    for dice in (0.5, 0.6, 0.6, 0.6, 0.7):
        schedule["scheduler"].step(dice)
        rates.append(optimiser.param_groups[-1]["lr"] / changed.learning_rate)
    assert rates == [1, 1, 1, 0.5, 0.5]
