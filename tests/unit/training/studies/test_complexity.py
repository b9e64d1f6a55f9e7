"""Sizes against hand-worked nets and each other; turns of a timing."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from service.imaging.geometry import U8, InputSpec
from training.config import load_preset
from training.nets.segmentation import build_net
from training.studies.complexity import size_of_net, size_of_onnx, time_in_turns

SHIPPED = Path(__file__).parents[4] / "models" / "instruments" / "3" / "model.onnx"
"""The preset `instruments`."""


class _Convolution(nn.Module):
    """3 -> 4 channels, 3 x 3, with bias."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)

    def forward(self, frames: Tensor) -> Tensor:
        return torch.as_tensor(self.conv(frames.float()))


def test_a_convolution_is_counted_as_by_hand() -> None:
    size = size_of_net(_Convolution(), InputSpec(8, 16))
    assert size.parameters == 3 * 4 * 9 + 4
    assert size.macs == 8 * 16 * 4 * 3 * 9
    assert size.file_bytes == 4 * size.parameters


def test_an_exported_file_counts_as_its_net() -> None:
    file = size_of_onnx(SHIPPED)
    preset = load_preset("instruments")
    net = size_of_net(build_net(preset.net, 1, None), preset.input.spec())
    assert file.macs == net.macs
    assert file.parameters == pytest.approx(net.parameters, rel=0.02)
    assert file.file_bytes == SHIPPED.stat().st_size


class _Noted:
    """A backend that notes its runs."""

    name, provider, precision, threads, max_batch = "noted", "cpu", "fp32", 1, 8

    def __init__(self, label: str, log: list[str]) -> None:
        self.label = label
        self.log = log

    def run(self, frames: U8) -> U8:
        self.log.append(f"{self.label}{frames.shape[1]}")
        return np.zeros((1, 1, 8, 8), np.uint8)


def test_models_are_timed_in_turns_and_each_at_its_own_size() -> None:
    log: list[str] = []
    models = [(_Noted("a", log), InputSpec(8, 8)), (_Noted("b", log), InputSpec(16, 16))]
    timings = time_in_turns(models, rounds=3)
    counted = log[4:]
    assert counted == ["a8", "b16", "b16", "a8", "a8", "b16"]
    assert len(timings) == 2
    assert all(timing.low <= timing.median <= timing.high for timing in timings)
