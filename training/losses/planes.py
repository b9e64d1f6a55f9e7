"""Logits and class ids as planes of probability and truth."""

import torch
import torch.nn.functional as F
from torch import Tensor


def probability_planes(logits: Tensor) -> Tensor:
    """Sigmoid of one channel, softmax over several: [N, C, H, W] in 0..1."""
    return logits.sigmoid() if logits.shape[1] == 1 else logits.softmax(dim=1)


def truth_planes(logits: Tensor, target: Tensor) -> Tensor:
    """0 or 1 for each of the logits' planes, in their type: [N, C, H, W]."""
    if logits.shape[1] == 1:
        return (target == 1).unsqueeze(1).to(logits.dtype)
    return F.one_hot(target, logits.shape[1]).movedim(-1, 1).to(logits.dtype)


def foreground(logits: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Probabilities and truth of the classes but background, each [N, C', H, W]."""
    first = 0 if logits.shape[1] == 1 else 1
    return probability_planes(logits)[:, first:], truth_planes(logits, target)[:, first:]


def pixel_weights(target: Tensor, weights: Tensor | None) -> Tensor:
    """The weight of each pixel's true class, [N, H, W]."""
    return torch.ones_like(target, dtype=torch.float32) if weights is None else weights[target]


def plane_weights(logits: Tensor, weights: Tensor | None) -> Tensor:
    """The weight of each plane's class, [1, C, 1, 1]."""
    count = logits.shape[1]
    if weights is None:
        return logits.new_ones(1, count, 1, 1)
    return (weights[1:] if count == 1 else weights).view(1, count, 1, 1)


def class_mean(terms: Tensor, weights: Tensor | None) -> Tensor:
    """Terms [N, C'] of the foreground's classes -> scalar: weighted over the classes, then the mean over the frames."""
    if weights is None:
        return terms.mean()
    own = weights[1:]
    return ((terms * own).sum(dim=1) / own.sum()).mean()
