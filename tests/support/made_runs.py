"""Nets and finished runs without training: random weights, under the names that `train` uses."""

from pathlib import Path

import torch

from training.config import Preset
from training.fitting.checkpoints import KEY, Trained, describe
from training.nets.segmentation import build_net

SMALL = "tu-mobilenetv3_small_050"


def untrained(preset: Preset) -> Trained:
    """Random weights, the same each time."""
    torch.manual_seed(3)
    return Trained(build_net(preset.net, preset.channels, None).eval(), preset, epochs=2, code_version="abc")


def small(preset: Preset, **changes: object) -> Preset:
    """One epoch of a small net."""
    net = preset.net.model_copy(update={"encoder": SMALL})
    return preset.model_copy(update={"net": net, "epochs": 1, **changes})


def write_run(folder: Path, preset: Preset, epoch: int = 0, bias: float = 0.0) -> Path:
    """`bias` shifts every logit, so that two runs of one preset answer differently."""
    state = untrained(preset).net.state_dict()
    state["body.segmentation_head.0.bias"] += bias
    folder.mkdir(parents=True)
    weights = {f"averaged.module.{name}": tensor for name, tensor in state.items()}
    torch.save({KEY: describe(preset), "state_dict": weights, "epoch": epoch}, folder / "last.ckpt")
    return folder
