"""What a checkpoint carries beside the weights, and how a net is rebuilt from it alone."""

import subprocess
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from training.config import Preset
from training.errors import TrainingError
from training.nets.segmentation import SegmentationNet, build_net

KEY = "endomask"
LAST = "last.ckpt"
BEST = "best.ckpt"
_AVERAGED = "averaged.module."


@dataclass(frozen=True)
class Trained:
    """Averaged weights in evaluation mode, with what made them."""

    net: SegmentationNet
    preset: Preset
    epochs: int
    code_version: str
    started_from: str | None = None
    """The run whose weights it was fine-tuned from."""


def describe(preset: Preset, started_from: str | None = None) -> dict[str, Any]:
    """Stored in every checkpoint under `KEY`; only plain types, so that it loads without running code."""
    return {
        "preset": preset.model_dump(mode="json"),
        "code_version": code_version(),
        "started_from": started_from,
    }


def code_version() -> str:
    """Commit of this checkout, `-dirty` when what training runs differs from it; else the installed version."""
    root = Path(__file__).parents[2]
    try:
        commit = _git(root, "rev-parse", "--short=12", "HEAD")
        changed = _git(root, "status", "--porcelain", "--untracked-files=no", "--", "training", "service/imaging")
    except (OSError, subprocess.CalledProcessError):
        return _installed_version()
    return f"{commit}-dirty" if changed else commit


def load_trained(path: Path) -> Trained:
    """Raises TrainingError when `path` is no checkpoint of this project."""
    if not path.is_file():
        raise TrainingError(f"checkpoint {path} is missing")
    checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    if KEY not in checkpoint:
        raise TrainingError(f"{path} was not written by `training train`")
    preset = Preset.model_validate(checkpoint[KEY]["preset"])
    net = build_net(preset.net, preset.channels, pretrained=None)
    weights = checkpoint["state_dict"]
    net.load_state_dict({k.removeprefix(_AVERAGED): v for k, v in weights.items() if k.startswith(_AVERAGED)})
    known = checkpoint[KEY]
    return Trained(net.eval(), preset, int(checkpoint["epoch"]) + 1, known["code_version"], known.get("started_from"))


def selected_checkpoint(run: Path) -> Path:
    """A checkpoint is itself; a run's folder stands for the checkpoint that its preset selects."""
    if not run.is_dir():
        return run
    last = run / LAST
    return run / BEST if last.is_file() and load_trained(last).preset.selection == "best" else last


def take_weights(net: SegmentationNet, source: SegmentationNet) -> tuple[int, int]:
    """Copies what agrees in name and shape; returns the numbers of tensors taken and left as they were.

    Another number of classes leaves only the head fresh. Raises TrainingError when nothing agrees.
    """
    own = net.state_dict()
    fitting = {k: v for k, v in source.state_dict().items() if k in own and own[k].shape == v.shape}
    learned = [k for k in fitting if k.startswith("body.")]
    if not learned:
        raise TrainingError("the checkpoint to start from shares no weight with this preset's net")
    net.load_state_dict(fitting, strict=False)
    return len(fitting), len(own) - len(fitting)


def _git(root: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def _installed_version() -> str:
    try:
        return version("endomask")
    except PackageNotFoundError:
        return "unknown"
