"""Which class was taken for which, in pixels."""

import numpy as np
from numpy.typing import NDArray

I64 = NDArray[np.int64]


def confusion_matrix(truth: NDArray[np.uint8], predicted: NDArray[np.uint8], classes: int) -> I64:
    """Class ids uint8 [H, W] twice -> pixels int64 [C, C]: rows the truth, columns the prediction.

    Raises ValueError for masks of different size.
    """
    if truth.shape != predicted.shape:
        raise ValueError(f"prediction is {predicted.shape}, truth {truth.shape}; scores need equal sizes")
    cells = truth.ravel().astype(np.intp) * classes + predicted.ravel()
    return np.bincount(cells, minlength=classes * classes).reshape(classes, classes).astype(np.int64)


def outcomes(matrix: I64, class_id: int) -> tuple[int, int, int, int]:
    """One class against the rest: true positives, false positives, false negatives, true negatives."""
    tp = int(matrix[class_id, class_id])
    fp = int(matrix[:, class_id].sum()) - tp
    fn = int(matrix[class_id].sum()) - tp
    return tp, fp, fn, int(matrix.sum()) - tp - fp - fn
