"""The Lovász extension of the Jaccard loss: a convex surface through the IoU of every possible mask."""

import torch
from torch import Tensor

from training.losses.planes import class_mean, foreground


def lovasz(logits: Tensor, target: Tensor, weights: Tensor | None = None) -> Tensor:
    """For each frame and foreground class, on |t - p| (Berman et al., CVPR 2018, algorithm 1, classes "all").

    Equals 1 - IoU where every p is 0 or 1 and the class is there.
    """
    probabilities, truth = foreground(logits, target)
    p, t = probabilities.flatten(2), truth.flatten(2)
    errors, order = torch.sort((t - p).abs(), dim=2, descending=True)
    return class_mean((errors * _steps(t.gather(2, order))).sum(dim=2), weights)


def _steps(truth: Tensor) -> Tensor:
    """How much each further wrong pixel adds to the Jaccard loss, errors in falling order; [N, C', pixels]."""
    total = truth.sum(dim=2, keepdim=True)
    intersection = total - truth.cumsum(dim=2)
    union = total + (1 - truth).cumsum(dim=2)
    loss = 1 - intersection / union
    return torch.diff(loss, dim=2, prepend=torch.zeros_like(total))
