"""Frames for training: drawn by seed, prepared as the service prepares them, pasted."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from service.imaging.geometry import prepare
from tests.support.squares import with_changes
from training.config import Preset
from training.datasets.reading import Dataset
from training.datasets.selection import select
from training.errors import PresetError
from training.fitting.frames import MARGIN, TrainingFrames, hold_out, load_pairs, load_test_pairs, paste
from training.fitting.sampling import Draw


def test_the_same_draw_gives_the_same_pair_whatever_came_before(datasets: Path, preset: Preset) -> None:
    frames = TrainingFrames(load_pairs(with_changes(preset, augment={"paste": 0.5}), datasets)[0], preset)
    torch.manual_seed(1)
    image, mask = frames[Draw(2, 77)]
    torch.manual_seed(2)
    frames[Draw(1, 5)]
    again, mask_again = frames[Draw(2, 77)]
    assert torch.equal(image, again)
    assert torch.equal(mask, mask_again)
    assert not torch.equal(image, frames[Draw(2, 78)][0])


def test_drawing_leaves_the_net_s_randomness_alone(datasets: Path, preset: Preset) -> None:
    frames = TrainingFrames(load_pairs(preset, datasets)[0], preset)
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    frames[Draw(0, 9)]
    assert torch.equal(torch.rand(3), expected)


def test_without_augmentation_a_frame_is_what_the_service_would_prepare(datasets: Path, preset: Preset) -> None:
    plain = with_changes(preset, augment="none", input={"height": 32, "width": 64, "filters": ["equalise", "smooth"]})
    pairs, _ = load_pairs(plain, datasets)
    image, mask = TrainingFrames(pairs, plain)[Draw(0, 1)]
    dataset = Dataset(datasets / "squares")
    sample = dataset.split("train")[0]
    expected = prepare(dataset.image(sample), plain.input.spec())
    unfiltered = prepare(dataset.image(sample), replace(plain.input.spec(), filters=()))
    assert np.array_equal(image.permute(1, 2, 0).numpy(), expected)
    assert not np.array_equal(expected, unfiltered)
    assert mask.shape == (32, 64)
    assert set(mask.unique().tolist()) == {0, 1}


def test_frames_are_kept_larger_only_where_augmentation_zooms_in(datasets: Path, preset: Preset) -> None:
    roomy, watched = load_pairs(preset, datasets)
    assert roomy[0][0].shape[:2] == (round(32 * MARGIN), 64 * MARGIN)
    assert watched[0][0].shape[:2] == (32, 64)
    still = with_changes(preset, augment={"crop_scale": [1, 1], "scale": [0.8, 1]})
    assert load_pairs(still, datasets)[0][0][0].shape[:2] == (32, 64)


def test_test_pairs_are_those_of_the_test_sets(datasets: Path, preset: Preset) -> None:
    pairs = load_test_pairs(preset, datasets)
    assert len(pairs) == 2
    assert pairs[0][0].shape == (32, 64, 3)


def test_a_split_without_the_groups_is_refused(datasets: Path, preset: Preset) -> None:
    use = preset.test[0].model_copy(update={"groups": ["g9"]})
    with pytest.raises(PresetError, match=r"squares: split 'test' holds no frame of the groups \['g9'\]"):
        select(Dataset(datasets / "squares"), use)


def test_a_holdout_never_cuts_a_group(datasets: Path) -> None:
    samples = Dataset(datasets / "squares").split("all")
    kept, held = hold_out(samples, 0.5, seed=1)
    assert {s.group for s in kept} & {s.group for s in held} == set()
    assert (len(kept), len(held)) == (4, 4)
    assert hold_out(samples, 0.5, seed=1)[1] == held


def test_pasting_brings_the_other_frames_foreground_and_its_class() -> None:
    image, mask = torch.full((3, 4, 4), 10, dtype=torch.uint8), torch.zeros(4, 4, dtype=torch.uint8)
    mask[3, 3] = 1
    other, other_mask = torch.full((3, 4, 4), 90, dtype=torch.uint8), torch.zeros(4, 4, dtype=torch.uint8)
    other_mask[0, 0] = 2
    pasted, truth = paste(image, mask, other, other_mask)
    assert pasted[:, 0, 0].tolist() == [90] * 3
    assert int((pasted != 10).sum()) == 3
    assert (int(truth[0, 0]), int(truth[3, 3]), int(truth.sum())) == (2, 1, 3)
