"""Cross-entropy plus soft Dice.

Rule for a class that a frame does not hold: its Dice term stays in, with `SMOOTH` in numerator and denominator, so it
is 0 when nothing is predicted and nears 1 with every false positive. Dropping it would leave hallucinations on
tool-free frames to the cross-entropy alone.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from training.config import LossSpec

SMOOTH = 1.0
"""In pixels."""


def segmentation_loss(logits: Tensor, target: Tensor, spec: LossSpec) -> Tensor:
    """Logits [N, C, H, W] and class ids int64 [N, H, W] -> scalar. C = 1 is the foreground of two classes."""
    logits = logits.float()
    total = logits.new_zeros(())
    if spec.cross_entropy:
        total = total + spec.cross_entropy * cross_entropy(logits, target)
    if spec.dice:
        total = total + spec.dice * dice_loss(logits, target)
    return total


def cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    """Mean over all pixels."""
    if logits.shape[1] == 1:
        return F.binary_cross_entropy_with_logits(logits[:, 0], (target == 1).to(logits.dtype))
    return F.cross_entropy(logits, target)


def dice_loss(logits: Tensor, target: Tensor) -> Tensor:
    """1 - (2 |p t| + s) / (|p| + |t| + s), the mean over frames and foreground classes."""
    if logits.shape[1] == 1:
        probabilities = logits.sigmoid()
        truth = (target == 1).unsqueeze(1).to(logits.dtype)
    else:
        probabilities = logits.softmax(dim=1)[:, 1:]
        truth = F.one_hot(target, logits.shape[1]).movedim(-1, 1)[:, 1:].to(logits.dtype)
    overlap = (probabilities * truth).sum(dim=(2, 3))
    sizes = probabilities.sum(dim=(2, 3)) + truth.sum(dim=(2, 3))
    return torch.mean(1 - (2 * overlap + SMOOTH) / (sizes + SMOOTH))
