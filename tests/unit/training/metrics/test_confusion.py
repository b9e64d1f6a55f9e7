"""Confusion, thresholds and intervals against torchmetrics, SciPy and counting by hand."""

import numpy as np
import pytest
import torch
from scipy.stats import bootstrap
from torchmetrics.functional.classification import multiclass_confusion_matrix, multiclass_stat_scores

from service.imaging.geometry import decide
from training.metrics import Counter
from training.metrics.bootstrap import Resampling, interval
from training.metrics.confusion import confusion_matrix, outcomes
from training.metrics.thresholds import PERCENTS, ThresholdSums


@pytest.mark.parametrize("classes", [2, 4, 13])
def test_confusion_is_that_of_torchmetrics(classes: int) -> None:
    rng = np.random.default_rng(classes)
    truth, predicted = rng.integers(0, classes, (2, 17, 23), dtype=np.uint8)
    matrix = confusion_matrix(truth, predicted, classes)
    sides = torch.from_numpy(predicted).long(), torch.from_numpy(truth).long()
    np.testing.assert_array_equal(matrix, multiclass_confusion_matrix(*sides, num_classes=classes).numpy())
    scores = multiclass_stat_scores(*sides, num_classes=classes, average=None).numpy()
    for class_id in range(classes):
        tp, fp, tn, fn = scores[class_id, :4]
        assert outcomes(matrix, class_id) == (tp, fp, fn, tn)


def test_confusion_needs_equal_sizes() -> None:
    with pytest.raises(ValueError, match=r"prediction is \(1, 2\), truth \(1, 3\)"):
        confusion_matrix(np.zeros((1, 3), np.uint8), np.zeros((1, 2), np.uint8), 2)


def test_the_threshold_curve_is_what_deciding_at_each_threshold_gives() -> None:
    rng = np.random.default_rng(3)
    frames = [
        (rng.integers(0, 256, (9, 14), dtype=np.uint8), rng.integers(0, 2, (9, 14), dtype=np.uint8)) for _ in "ab"
    ]
    frames += [(np.zeros((5, 6), np.uint8), np.zeros((5, 6), np.uint8))]
    sums = ThresholdSums()
    for probabilities, truth in frames:
        sums.update(probabilities, truth)
    curve = sums.compute()
    for i, percent in enumerate(PERCENTS):
        counter = Counter(1)
        for probabilities, truth in frames:
            counter.update(decide(probabilities[None], percent / 100), truth)
        scores = counter.compute()
        found = (curve.dice[i], curve.precision[i], curve.recall[i])
        assert found == pytest.approx((scores.dice, scores.precision, scores.recall), abs=5e-5)
    assert curve.dice[PERCENTS.index(curve.best_percent)] == curve.best_dice == max(curve.dice)


def test_an_interval_over_frames_is_that_of_scipy() -> None:
    values = np.random.default_rng(1).beta(5, 2, 60)
    drawn = Resampling.draw([f"g{i}" for i in range(60)], resamples=4000, seed=2)
    found = interval(drawn.sums(values) / drawn.sums(np.ones(60)))
    expected = bootstrap((values,), np.mean, n_resamples=4000, method="percentile", rng=5).confidence_interval
    assert drawn.unit == "frame"
    assert found.value == pytest.approx(values.mean(), abs=5e-5)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=0.004)


def test_frames_of_a_group_are_drawn_together() -> None:
    groups = ["a"] * 30 + ["b"] * 30
    values = np.array([0.0] * 30 + [1.0] * 30)
    drawn = Resampling.draw(groups, resamples=500, seed=1)
    means = drawn.sums(values) / drawn.sums(np.ones(60))
    assert drawn.unit == "group"
    assert set(means.tolist()) == {0.0, 0.5, 1.0}  # both from a, one of each, both from b


def test_one_group_alone_draws_its_frames() -> None:
    drawn = Resampling.draw(["a"] * 5, resamples=100, seed=1)
    assert drawn.unit == "frame"
    assert drawn.weights.shape == (101, 5)
    assert (drawn.weights.sum(axis=1) == 5).all()


def test_the_same_seed_draws_the_same() -> None:
    draws = [Resampling.draw(["a", "b", "b"], resamples=50, seed=seed).weights for seed in (1, 1, 2)]
    np.testing.assert_array_equal(draws[0], draws[1])
    assert not np.array_equal(draws[0], draws[2])


def test_nothing_can_be_drawn_from_no_frame() -> None:
    with pytest.raises(ValueError, match="no frame"):
        Resampling.draw([])
