"""Scores while training, against torchmetrics; absent classes; several processes."""

import pytest
import torch
from torch import Tensor
from torchmetrics.classification import MulticlassAccuracy, MulticlassJaccardIndex
from torchmetrics.functional.segmentation import dice_score

from training.fitting.tally import Tally


def _labels(seed: int, classes: int, frames: int = 3) -> Tensor:
    return torch.randint(classes, (frames, 5, 6), generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("classes", [2, 4])
def test_scores_are_those_of_torchmetrics(classes: int) -> None:
    tally = Tally(classes)
    batches = [(_labels(k, classes), _labels(k + 10, classes)) for k in range(3)]
    for predicted, truth in batches:
        tally.update(predicted, truth, torch.tensor(0.5))
    found = tally.take(tally.state())
    predicted, truth = (torch.cat(side) for side in zip(*batches, strict=True))
    assert (found.n, found.loss) == (9, 0.5)
    jaccard = MulticlassJaccardIndex(classes, average="macro")(predicted, truth)
    assert found.miou == pytest.approx(float(jaccard), abs=1e-6)
    assert found.accuracy == pytest.approx(float(MulticlassAccuracy(classes, average="micro")(predicted, truth)))
    dice = dice_score(predicted, truth, classes, include_background=False, average="macro", input_format="index")
    assert found.dice == pytest.approx(float(dice.mean()), abs=1e-6)


def test_a_class_that_nobody_holds_counts_as_found_in_dice_and_is_left_out_of_the_mean_iou() -> None:
    tally = Tally(3)
    labels = torch.tensor([[[0, 0, 1, 1]]])
    tally.update(labels, labels, torch.tensor(0.0))
    found = tally.take(tally.state())
    assert (found.dice, found.miou) == (1.0, 1.0)
    assert found.class_iou == [1.0, 1.0, None]


def test_a_false_alarm_of_an_absent_class_is_punished() -> None:
    tally = Tally(2)
    tally.update(torch.tensor([[[0, 0, 0, 1]]]), torch.zeros(1, 1, 4, dtype=torch.long), torch.tensor(1.0))
    found = tally.take(tally.state())
    assert (found.dice, found.miou, found.accuracy) == (0.0, pytest.approx((3 / 4 + 0) / 2), 0.75)


def test_sums_of_several_processes_give_what_one_would() -> None:
    together, one, other = Tally(3), Tally(3), Tally(3)
    for k, part in ((0, one), (1, other), (2, other)):
        batch = _labels(k, 3), _labels(k + 5, 3), torch.tensor(float(k))
        together.update(*batch)
        part.update(*batch)
    assert one.take(one.state() + other.state()) == together.take(together.state())


def test_taking_the_scores_begins_anew() -> None:
    tally = Tally(2)
    tally.update(_labels(0, 2), _labels(1, 2), torch.tensor(1.0))
    tally.take(tally.state())
    assert not tally.state().any()
