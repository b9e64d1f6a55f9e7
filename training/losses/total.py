"""The weighted sum that a preset asks for."""

from collections.abc import Callable
from functools import partial

from torch import Tensor

from training.config import LossSpec
from training.losses.lovasz import lovasz
from training.losses.pixel import bce, cross_entropy, focal, mse
from training.losses.region import dice, jaccard, tversky

Loss = Callable[[Tensor, Tensor, Tensor | None], Tensor]


def losses(spec: LossSpec) -> dict[str, Loss]:
    """Every loss by its name, with the parameters of `spec`."""
    return {
        "cross_entropy": cross_entropy,
        "bce": bce,
        "dice": dice,
        "jaccard": jaccard,
        "focal": partial(focal, gamma=spec.focal_gamma, alpha=spec.focal_alpha),
        "tversky": partial(tversky, alpha=spec.tversky_alpha, beta=spec.tversky_beta),
        "lovasz": lovasz,
        "mse": mse,
    }


def segmentation_loss(logits: Tensor, target: Tensor, spec: LossSpec, weights: Tensor | None = None) -> Tensor:
    """Logits [N, C, H, W] and class ids int64 [N, H, W] -> scalar, computed in float32."""
    logits = logits.float()
    known = losses(spec)
    total = logits.new_zeros(())
    for name, weight in spec.weights().items():
        total = total + weight * known[name](logits, target, weights)
    return total
