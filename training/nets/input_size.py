"""Which input sizes a net takes: tried on the net itself, on PyTorch's meta device, where nothing is computed."""

import copy

import torch

from training.errors import PresetError
from training.nets.segmentation import SegmentationNet

_STEPS = (2, 4, 8, 14, 16, 28, 32, 64, 128)
"""Multiples that architectures ask for: halvings, and the patches of transformers."""
_FIXED = (224, 256, 384, 448, 512)
"""Sides of squares that transformers are made for."""
_SMALLEST = 16


def check_input_size(net: SegmentationNet, height: int, width: int) -> None:
    """Raises PresetError, with the nearest sizes that do, unless the net gives a mask of the size of its input."""
    trial = copy.deepcopy(net).to("meta").eval()
    refusal = _refusal(trial, height, width)
    if refusal is not None:
        near = _near_sizes(trial, height, width) or refusal
        raise PresetError(f"the net does not take an input of {height}x{width} (height x width): {near}")


def _near_sizes(trial: SegmentationNet, height: int, width: int) -> str | None:
    for step in _STEPS:
        below = max(step, height // step * step), max(step, width // step * step)
        above = -(-height // step) * step, -(-width // step) * step
        near = list(dict.fromkeys((below, above)))
        if all(_takes(trial, *size) for size in near):
            named = " and ".join(f"{h}x{w}" for h, w in near)
            return f"the nearest that it takes are {named}, multiples of {step}"
    squares = [side for side in _FIXED if _takes(trial, side, side)]
    return f"it takes {' and '.join(f'{side}x{side}' for side in squares)}" if squares else None


def _takes(trial: SegmentationNet, height: int, width: int) -> bool:
    return min(height, width) >= _SMALLEST and _refusal(trial, height, width) is None


def _refusal(trial: SegmentationNet, height: int, width: int) -> str | None:
    """Why it does not work, or None."""
    try:
        with torch.inference_mode():
            logits = trial(torch.empty(1, 3, height, width, device="meta"))
    except (AssertionError, IndexError, RuntimeError, TypeError, ValueError) as error:
        return str(error)
    same = logits.shape[-2:] == (height, width)
    return None if same else f"its mask would be {logits.shape[-2]}x{logits.shape[-1]}"
