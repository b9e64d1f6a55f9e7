"""Pretrained weights of encoders: from the hub, or from a local file."""

from pathlib import Path

import segmentation_models_pytorch as smp
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from training.errors import PresetError

_HEAD_KEYS = ("conv_head.", "bn2.", "classifier.", "head.", "fc.", "_fc.", "_conv_head.", "_bn1.", "last_linear.")
"""Parts of a classifier that an encoder may lack."""


def hub_weights(encoder: str) -> str | bool:
    """What segmentation_models_pytorch calls the ImageNet weights of this encoder."""
    if encoder.startswith("tu-") or encoder not in smp.encoders.encoders:
        return True
    named = list(smp.encoders.encoders[encoder]["pretrained_settings"])
    return "imagenet" if "imagenet" in named else named[0]


def load_encoder(encoder: nn.Module, path: Path) -> None:
    """`path`: a .pth or .safetensors file whose names are timm's for `tu-` encoders, else the encoder's own
    (torchvision's for ResNet, efficientnet-pytorch's for EfficientNet). Raises PresetError when it does not fit.
    """
    if not path.is_file():
        raise PresetError(f"encoder weights {path} are missing; give another file, or `hub` to download them")
    target = getattr(encoder, "model", encoder)
    own = target.state_dict()
    wanted = {k: v for k, v in _read(path).items() if k in own or not k.startswith(_HEAD_KEYS)}
    missing = [k for k in own if k not in wanted and not k.endswith("num_batches_tracked")]
    unknown = [k for k in wanted if k not in own]
    other = [k for k in wanted if k in own and own[k].shape != wanted[k].shape]
    if missing or unknown or other:
        raise PresetError(
            f"{path.name} does not fit the encoder: {len(missing)} weights missing {missing[:2]}, "
            f"{len(unknown)} unknown {unknown[:2]}, {len(other)} of another shape {other[:2]}"
        )
    target.load_state_dict(wanted, strict=False)


def drop_classifier(encoder: nn.Module) -> None:
    """Removes what the EfficientNet of segmentation_models_pytorch keeps of its classifier and never runs."""
    for name in ("_conv_head", "_bn1"):
        if hasattr(encoder, name):
            delattr(encoder, name)


def _read(path: Path) -> dict[str, Tensor]:
    if path.suffix == ".safetensors":
        found: dict[str, Tensor] = load_file(path, device="cpu")
        return found
    state: dict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    return state
