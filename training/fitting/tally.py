"""Scores while a run goes on, from one confusion matrix a frame; sums that several processes can add up."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Watched:
    """`loss`, `dice` and `accuracy` are means over the frames; `miou` is over all pixels together.

    `dice`: mean over the foreground's classes, 1 for a class that neither truth nor prediction of the frame holds.
    `miou`: mean over the classes, background too, that truth or prediction of any frame holds.
    `accuracy`: share of the pixels whose class is right.
    """

    n: int
    loss: float
    dice: float
    miou: float
    accuracy: float
    class_iou: list[float | None]
    """Of each class over all pixels, background first; None where neither truth nor prediction holds it."""
    class_dice: list[float | None]


class Tally:
    """update sums, compute divides."""

    def __init__(self, classes: int) -> None:
        self._classes = classes
        self._sums = torch.zeros(classes * classes + 3, dtype=torch.float64)
        """The confusion matrix [true, predicted], then the sums over frames of 1, loss and Dice."""

    def update(self, predicted: Tensor, truth: Tensor, loss: Tensor) -> None:
        """Class ids [N, H, W] both, and the mean loss of these N frames."""
        matrices = confusion(predicted, truth, self._classes)
        frames = len(predicted)
        last = torch.stack([torch.tensor(float(frames)), loss.detach().cpu() * frames, frame_dice(matrices).sum()])
        self._sums += torch.cat([matrices.sum(dim=0).flatten(), last.double()])

    def state(self) -> Tensor:
        """Everything that `compute` needs, float64; sums of several processes are added elementwise."""
        return self._sums

    def take(self, sums: Tensor) -> Watched:
        """Scores of added-up states, after which this tally begins anew."""
        self._sums = torch.zeros_like(self._sums)
        matrix = sums[:-3].view(self._classes, self._classes)
        n, loss, dice = sums[-3:].tolist()
        hits, present = matrix.diag(), matrix.sum(0) + matrix.sum(1)
        iou = (hits / (present - hits))[present > 0]
        return Watched(
            n=int(n),
            loss=loss / n,
            dice=dice / n,
            miou=float(iou.mean()),
            accuracy=float(hits.sum() / matrix.sum()),
            class_iou=_where(present, hits / (present - hits)),
            class_dice=_where(present, 2 * hits / present),
        )


def confusion(predicted: Tensor, truth: Tensor, classes: int) -> Tensor:
    """Class ids [N, H, W] both -> pixels of each true and predicted class, float64 [N, true, predicted]."""
    frames = torch.arange(len(truth), device=truth.device).view(-1, 1, 1) * classes
    cells = (frames + truth.long()) * classes + predicted.long()
    counts = torch.bincount(cells.flatten(), minlength=len(truth) * classes * classes)
    return counts.view(len(truth), classes, classes).cpu().double()


def frame_dice(matrices: Tensor) -> Tensor:
    """Confusion matrices [N, true, predicted] -> mean Dice over the foreground's classes of each frame, [N]."""
    hits = matrices.diagonal(dim1=1, dim2=2)[:, 1:]
    sizes = (matrices.sum(1) + matrices.sum(2))[:, 1:]
    return torch.where(sizes == 0, 1.0, 2 * hits / sizes.clamp(min=1)).mean(dim=1)


def _where(present: Tensor, values: Tensor) -> list[float | None]:
    return [float(v) if there else None for v, there in zip(values, present > 0, strict=True)]
