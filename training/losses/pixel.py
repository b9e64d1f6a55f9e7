"""Losses that are sums over pixels."""

import torch
import torch.nn.functional as F
from torch import Tensor

from training.losses.planes import pixel_weights, plane_weights, probability_planes, truth_planes


def cross_entropy(logits: Tensor, target: Tensor, weights: Tensor | None = None) -> Tensor:
    """-log p of the true class; categorical (softmax) for several channels, binary for one.

    Weighted as in PyTorch: the sum of w * loss over the sum of w, w being the weight of the pixel's true class.
    """
    by_pixel = pixel_weights(target, weights)
    return (_surprise(logits, target) * by_pixel).sum() / by_pixel.sum()


def bce(logits: Tensor, target: Tensor, weights: Tensor | None = None) -> Tensor:
    """Binary cross-entropy of each channel against the one-hot truth, the mean over pixels and channels.

    Every class is a question of its own (sigmoid); for one channel it is `cross_entropy`. The exported net takes the
    softmax all the same: its most probable class is the same.
    """
    if logits.shape[1] == 1:
        return cross_entropy(logits, target, weights)
    terms = F.binary_cross_entropy_with_logits(logits, truth_planes(logits, target), reduction="none")
    return _plane_mean(terms, plane_weights(logits, weights))


def focal(
    logits: Tensor, target: Tensor, weights: Tensor | None = None, gamma: float = 2.0, alpha: float | None = None
) -> Tensor:
    """-a (1 - p)^gamma log p of the true class's probability p, the mean over pixels (Lin et al., ICCV 2017).

    a is `alpha` for pixels of the foreground and 1 - alpha for the background, times the class's weight.
    """
    surprise = _surprise(logits, target)
    by_pixel = pixel_weights(target, weights)
    if alpha is not None:
        by_pixel = by_pixel * torch.where(target > 0, alpha, 1 - alpha)
    missing = (1 - torch.exp(-surprise)).clamp(min=1e-8)  # a power below 1 has no gradient at 0
    return (by_pixel * missing**gamma * surprise).mean()


def mse(logits: Tensor, target: Tensor, weights: Tensor | None = None) -> Tensor:
    """(p - truth)^2 of each channel's probability against the one-hot truth, the mean over pixels and channels."""
    terms = (probability_planes(logits) - truth_planes(logits, target)) ** 2
    return _plane_mean(terms, plane_weights(logits, weights))


def _surprise(logits: Tensor, target: Tensor) -> Tensor:
    """-log p of the true class, [N, H, W]."""
    if logits.shape[1] == 1:
        truth = (target == 1).to(logits.dtype)
        return F.binary_cross_entropy_with_logits(logits[:, 0], truth, reduction="none")
    return F.cross_entropy(logits, target, reduction="none")


def _plane_mean(terms: Tensor, by_plane: Tensor) -> Tensor:
    """Weighted over the planes, then the mean over pixels; [N, C, H, W] -> scalar."""
    return ((terms * by_plane).sum(dim=1) / by_plane.sum()).mean()
