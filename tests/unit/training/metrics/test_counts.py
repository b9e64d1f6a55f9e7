"""Scores against torchmetrics, and the edges by name."""

import numpy as np
import pytest
import torch
from torchmetrics.classification import BinaryJaccardIndex, BinaryPrecision, BinaryRecall
from torchmetrics.functional.classification import binary_f1_score

from training.fitting.tally import confusion, frame_dice
from training.metrics import Counter


def _pairs(count: int = 6) -> list[tuple[np.ndarray, np.ndarray]]:
    rng = np.random.default_rng(1)
    shape = (17, 23)
    return [
        (rng.integers(0, 2, shape, dtype=np.uint8), (rng.random(shape) < 0.3).astype(np.uint8)) for _ in range(count)
    ]


def test_the_scores_are_those_of_torchmetrics() -> None:
    counter, pairs = Counter(1), _pairs()
    for predicted, truth in pairs:
        counter.update(predicted, truth)
    tensors = [(torch.from_numpy(p), torch.from_numpy(t)) for p, t in pairs]
    everything = torch.stack([p for p, _ in tensors]), torch.stack([t for _, t in tensors])
    scores = counter.compute()
    assert scores.n == len(pairs)
    assert scores.dice == pytest.approx(np.mean([binary_f1_score(p, t).item() for p, t in tensors]))
    assert scores.dice_pooled == pytest.approx(binary_f1_score(*everything).item())
    assert scores.iou == pytest.approx(np.mean([BinaryJaccardIndex()(p, t).item() for p, t in tensors]))
    assert scores.precision == pytest.approx(BinaryPrecision()(*everything).item())
    assert scores.recall == pytest.approx(BinaryRecall()(*everything).item())


@pytest.mark.parametrize(
    ("predicted", "truth", "dice", "precision", "recall"),
    [
        ([0, 0], [0, 0], 1.0, 1.0, 1.0),
        ([1, 0], [0, 0], 0.0, 0.0, 0.0),
        ([0, 0], [1, 0], 0.0, 0.0, 0.0),
        ([1, 1], [1, 0], 2 / 3, 0.5, 1.0),
    ],
    ids=["nothing there, nothing found", "false alarm", "missed", "half right"],
)
def test_the_edges_of_one_frame(
    predicted: list[int], truth: list[int], dice: float, precision: float, recall: float
) -> None:
    counter = Counter(1)
    counter.update(np.array([predicted], np.uint8), np.array([truth], np.uint8))
    scores = counter.compute()
    assert scores.dice == scores.dice_pooled == pytest.approx(dice)
    assert (scores.precision, scores.recall) == (pytest.approx(precision), pytest.approx(recall))


def test_other_classes_do_not_count() -> None:
    counter = Counter(2)
    counter.update(np.array([[1, 2, 2]], np.uint8), np.array([[2, 2, 1]], np.uint8))
    assert counter.compute().dice == pytest.approx(0.5)


def test_masks_of_different_size_are_refused() -> None:
    with pytest.raises(ValueError, match=r"prediction is \(1, 2\), truth \(1, 3\)"):
        Counter(1).update(np.zeros((1, 2), np.uint8), np.zeros((1, 3), np.uint8))


def test_no_frame_has_no_score() -> None:
    with pytest.raises(ValueError, match="no frame"):
        Counter(1).compute()


def test_dice_while_training_is_the_dice_of_the_scores() -> None:
    pairs = [*_pairs(4), (np.zeros((17, 23), np.uint8), np.zeros((17, 23), np.uint8))]
    counter = Counter(1)
    for predicted, truth in pairs:
        counter.update(predicted, truth)
    stacked = [torch.from_numpy(np.stack(side)).long() for side in zip(*pairs, strict=True)]
    np.testing.assert_allclose(frame_dice(confusion(stacked[0], stacked[1], 2)), counter.frame_dice(), atol=1e-6)
