"""Losses that are ratios of areas, for each frame and foreground class."""

from torch import Tensor

from training.losses.planes import class_mean, foreground

SMOOTH = 1.0
"""In pixels."""


def dice(logits: Tensor, target: Tensor, weights: Tensor | None = None) -> Tensor:
    """1 - (2 |p t| + s) / (|p| + |t| + s) (Milletari et al., 3DV 2016, without squares)."""
    overlap, predicted, true = _areas(logits, target)
    return class_mean(1 - (2 * overlap + SMOOTH) / (predicted + true + SMOOTH), weights)


def jaccard(logits: Tensor, target: Tensor, weights: Tensor | None = None) -> Tensor:
    """1 - (|p t| + s) / (|p| + |t| - |p t| + s) (Rahman and Wang, ISVC 2016)."""
    overlap, predicted, true = _areas(logits, target)
    return class_mean(1 - (overlap + SMOOTH) / (predicted + true - overlap + SMOOTH), weights)


def tversky(
    logits: Tensor, target: Tensor, weights: Tensor | None = None, alpha: float = 0.3, beta: float = 0.7
) -> Tensor:
    """1 - (|p t| + s) / (|p t| + alpha |p (1 - t)| + beta |(1 - p) t| + s) (Salehi et al., MLMI 2017)."""
    overlap, predicted, true = _areas(logits, target)
    wrong = alpha * (predicted - overlap) + beta * (true - overlap)
    return class_mean(1 - (overlap + SMOOTH) / (overlap + wrong + SMOOTH), weights)


def _areas(logits: Tensor, target: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """|p t|, |p| and |t| in pixels, each [N, C']."""
    probabilities, truth = foreground(logits, target)
    overlap = (probabilities * truth).sum(dim=(2, 3))
    return overlap, probabilities.sum(dim=(2, 3)), truth.sum(dim=(2, 3))
