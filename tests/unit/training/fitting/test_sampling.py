"""Which frames an epoch sees: every one once, rare ones more often, the same after a resume and shared by processes."""

from collections import Counter

import numpy as np
import pytest
import torch

from training.fitting import sampling
from training.fitting.sampling import Draw, EpochSampler, PartSampler, frame_weights


def _epoch(sampler: EpochSampler, epoch: int) -> list[Draw]:
    sampler.set_epoch(epoch)
    return list(sampler)


def test_an_epoch_holds_every_frame_once_in_an_order_of_its_own() -> None:
    sampler = EpochSampler(50, seed=1)
    first, second = _epoch(sampler, 0), _epoch(sampler, 1)
    assert sorted(draw.frame for draw in first) == list(range(50))
    assert [draw.frame for draw in first] != [draw.frame for draw in second]
    assert not {draw.seed for draw in first} & {draw.seed for draw in second}


def test_an_epoch_hangs_on_seed_and_number_alone() -> None:
    torch.manual_seed(3)
    one = EpochSampler(20, seed=1)
    _epoch(one, 0)
    assert _epoch(one, 7) == _epoch(EpochSampler(20, seed=1), 7)
    assert _epoch(one, 7) != _epoch(EpochSampler(20, seed=2), 7)


def test_processes_share_an_epoch_without_overlap(monkeypatch: pytest.MonkeyPatch) -> None:
    alone = _epoch(EpochSampler(10, seed=1), 2)
    parts, plain = [], []
    for rank in range(3):
        monkeypatch.setattr(sampling, "_processes", lambda rank=rank: (rank, 3))
        part = _epoch(EpochSampler(10, seed=1), 2)
        assert len(part) == len(EpochSampler(10, seed=1)) == 3
        parts += part
        plain += list(PartSampler(10))
        assert len(PartSampler(10)) == len(list(PartSampler(10)))
    assert set(parts) <= set(alone)
    assert len(set(parts)) == 9
    assert sorted(plain) == list(range(10))


def _masks(*labels: list[int]) -> list[np.ndarray]:
    return [np.array([row], np.uint8) for row in labels]


def test_weights_by_hand() -> None:
    # class 1 in all four frames, class 2 in one
    masks = _masks([0, 1], [0, 1], [0, 1], [1, 2])
    assert frame_weights(masks, 3, 0.0) is None
    half, full = frame_weights(masks, 3, 0.5), frame_weights(masks, 3, 1.0)
    assert half is not None
    assert full is not None
    assert half.tolist() == [1, 1, 1, 2]
    assert full.tolist() == [1, 1, 1, 4]


def test_a_class_that_no_frame_holds_changes_nothing() -> None:
    weights = frame_weights(_masks([0, 1], [0, 0]), 3, 1.0)
    assert weights is not None
    assert weights.tolist() == [2, 1]


def test_frames_with_rare_classes_are_drawn_as_often_as_their_weight_says() -> None:
    weights = frame_weights(_masks(*[[0, 1]] * 9, [0, 2]), 3, 1.0)
    assert weights is not None
    sampler = EpochSampler(10, seed=1, weights=weights)
    drawn = Counter(draw.frame for epoch in range(400) for draw in _epoch(sampler, epoch))
    expected = weights / weights.sum() * 4000
    assert drawn[9] == pytest.approx(float(expected[9]), rel=0.1)
    assert drawn[0] == pytest.approx(float(expected[0]), rel=0.25)
