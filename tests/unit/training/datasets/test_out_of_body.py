"""Frames without an instrument: drawn from a seed, or the user's own pictures, and background in every pixel."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from training.config import Preset
from training.datasets.out_of_body.reader import read
from training.datasets.out_of_body.render import KINDS, kind_of, render
from training.datasets.readers import open_source
from training.datasets.report import make_report
from training.datasets.report_picture import write_report
from training.datasets.selection import merge_table
from training.datasets.writing import write_dataset
from training.errors import DatasetError


@pytest.mark.parametrize("seed", range(len(KINDS)))
def test_a_seed_draws_the_same_frame_again_and_its_neighbour_of_a_kind_another(seed: int) -> None:
    frame = render(seed, 48, 64)
    assert (frame.shape, frame.dtype) == ((48, 64, 3), np.uint8)
    assert (frame == render(seed, 48, 64)).all()
    assert kind_of(seed) == kind_of(seed + len(KINDS))
    assert (frame != render(seed + len(KINDS), 48, 64)).any()


def test_the_kinds_take_turns() -> None:
    assert {kind_of(seed) for seed in range(400_000, 400_000 + len(KINDS))} == set(KINDS)


def _pictures(folder: Path) -> Path:
    for name in ("ward/a.png", "ward/b.png", "desk.jpg", "hall.png"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        assert cv2.imwrite(str(folder / name), np.full((20, 30, 3), 90, np.uint8))
    return folder


def test_pictures_of_a_folder_become_frames_of_background(tmp_path: Path, preset: Preset) -> None:
    source = read(_pictures(tmp_path / "own"), train_frames=0, test_frames=0, test_share=0.34)
    dataset = write_dataset(source, tmp_path / "made")
    assert sorted(s.id for s in dataset.index.samples) == [
        "picture_desk", "picture_hall", "picture_ward_a", "picture_ward_b",
    ]  # fmt: skip
    assert not any(dataset.mask(sample).any() for sample in dataset.index.samples)
    assert {s.group for s in dataset.index.samples} == {"picture_desk", "picture_hall", "picture_ward"}
    assert len({s.group for s in dataset.split("test")}) == 1
    assert merge_table(dataset, preset)[0] == 0, "every preset has a background"
    write_report(dataset, make_report(dataset, lambda samples: samples), seed=0)


@pytest.mark.parametrize(("share", "expected"), [("0", {"train"}), ("1", {"test"})])
def test_pictures_may_all_be_for_one_use(tmp_path: Path, share: str, expected: set[str]) -> None:
    options = {"train_frames": "0", "test_frames": "0", "test_share": share}
    assert set(open_source("out-of-body", _pictures(tmp_path), **options).splits) == expected


def test_drawn_frames_need_no_source_and_have_seeds_of_their_own_for_each_split() -> None:
    splits = open_source("out-of-body", None, train_frames="3", test_frames="2").splits
    assert splits == {"train": ["300000", "300001", "300002"], "test": ["400000", "400001"]}


def test_what_gives_no_frame_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="holds no pictures"):
        read(tmp_path)
    with pytest.raises(DatasetError, match="no drawn frames and no pictures"):
        read(train_frames=0, test_frames=0)
    with pytest.raises(DatasetError, match=r"out-of-body: --source .*absent does not exist"):
        open_source("out-of-body", tmp_path / "absent")
