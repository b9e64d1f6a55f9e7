"""Splits by group: nothing straddles, sizes follow the shares, rare classes come into every split."""

import json
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.squares import CLASSES, red_square_frames
from training.datasets.reading import Dataset
from training.datasets.source import SourceDataset
from training.datasets.splits import GroupSize, measure_groups, parse_shares, split_groups
from training.datasets.writing import write_dataset
from training.errors import DatasetError

SHARES = {"train": 0.7, "val": 0.15, "test": 0.15}


def _group(name: str, frames: int, *classes: int) -> GroupSize:
    return GroupSize(name, frames, frozenset({0, *classes}))


def _frames_in(groups: list[GroupSize], names: list[str]) -> int:
    return sum(group.frames for group in groups if group.name in names)


@settings(max_examples=60)
@given(
    frames=st.lists(st.integers(1, 400), min_size=3, max_size=40),
    classes=st.lists(st.sets(st.integers(1, 6)), min_size=40, max_size=40),
    seed=st.integers(0, 99),
)
def test_every_group_lies_in_exactly_one_split_and_none_is_empty(
    frames: list[int], classes: list[set[int]], seed: int
) -> None:
    groups = [_group(f"v{i}", count, *held) for i, (count, held) in enumerate(zip(frames, classes, strict=False))]
    splits = split_groups(groups, SHARES, seed)
    assert sorted(name for names in splits.values() for name in names) == sorted(group.name for group in groups)
    assert all(splits.values())


def test_sizes_follow_the_shares_in_frames_not_in_groups() -> None:
    rng = random.Random(0)
    groups = [_group(f"v{i}", rng.randint(20, 120), 1) for i in range(40)]
    splits = split_groups(groups, SHARES, seed=1)
    total = sum(group.frames for group in groups)
    for name, share in SHARES.items():
        assert _frames_in(groups, splits[name]) / total == pytest.approx(share, abs=0.02)


def test_a_rare_class_comes_into_every_split() -> None:
    groups = [_group(f"v{i}", 50, 1) for i in range(17)] + [_group(f"rare{i}", 50, 1, 2) for i in range(3)]
    for seed in range(20):
        splits = split_groups(groups, SHARES, seed)
        assert all(sum(name.startswith("rare") for name in names) == 1 for names in splits.values()), seed


def test_a_class_in_one_group_goes_where_most_frames_are() -> None:
    groups = [_group(f"v{i}", 50, 1) for i in range(9)] + [_group("only", 50, 2)]
    assert all("only" in split_groups(groups, SHARES, seed)["train"] for seed in range(10))


def test_no_split_stays_empty_for_the_sake_of_classes_in_one_group_each() -> None:
    splits = split_groups([_group("a", 10, 1), _group("b", 10, 2), _group("c", 10, 3)], SHARES, seed=0)
    assert sorted(map(len, splits.values())) == [1, 1, 1]


def test_the_same_seed_splits_alike_and_another_one_otherwise() -> None:
    groups = [_group(f"v{i}", 50, 1) for i in range(20)]
    first = split_groups(groups, SHARES, seed=1)
    assert split_groups(groups[::-1], SHARES, seed=1) == first
    assert any(split_groups(groups, SHARES, seed) != first for seed in range(2, 5))


def test_fewer_groups_than_splits_are_refused() -> None:
    with pytest.raises(DatasetError, match="2 groups cannot fill 3 splits"):
        split_groups([_group("a", 5), _group("b", 5)], SHARES, seed=0)


def test_groups_are_measured_in_frames_and_classes() -> None:
    measured = measure_groups(["a", "b", "a"], [[0, 1], [0], [0, 2]])
    assert measured == [_group("a", 2, 1, 2), _group("b", 1)]


@pytest.mark.parametrize(
    ("text", "shares"),
    [
        ("0.7,0.15,0.15", SHARES),
        ("0.8, 0.2", {"train": 0.8, "val": 0.2}),
        ("train=0.9,test=0.1", {"train": 0.9, "test": 0.1}),
    ],
)
def test_shares_are_read(text: str, shares: dict[str, float]) -> None:
    assert parse_shares(text) == shares


@pytest.mark.parametrize(
    "text", ["0.7,0.7", "1", "0.25,0.25,0.25,0.25", "a=0.5,0.5", "a=0.5,a=0.5", "x,y", "1.5,-0.5", "all=0.5,b=0.5"]
)
def test_shares_that_are_no_split_are_refused(text: str) -> None:
    with pytest.raises(DatasetError, match="--split"):
        parse_shares(text)


def _source(splits: dict[str, list[str]]) -> SourceDataset:
    return SourceDataset("made", "made by the test", "none", "group", CLASSES, splits, red_square_frames(8))


def test_a_group_on_both_sides_is_refused_when_written(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="the group 'g1' lies in the splits 'train' and 'test'"):
        write_dataset(_source({"train": ["g0", "g1"], "test": ["g1", "g2"]}), tmp_path / "made")
    assert not (tmp_path / "made" / "dataset.json").exists()


@pytest.mark.parametrize(
    ("ids", "said"),
    [(["f01"], "the group 'g1' lies in the splits 'test' and 'train'"), (["f99"], "names 'f99', which is no sample")],
)
def test_an_index_changed_by_hand_is_held_to_its_groups(tmp_path: Path, ids: list[str], said: str) -> None:
    write_dataset(_source({"test": ["g1"]}), tmp_path / "made")
    path = tmp_path / "made" / "dataset.json"
    index = json.loads(path.read_text())
    index["splits"]["train"] = ids
    path.write_text(json.dumps(index))
    with pytest.raises(DatasetError, match=said):
        Dataset(tmp_path / "made")


def test_a_source_without_splits_is_split_by_what_its_groups_hold(tmp_path: Path) -> None:
    dataset = write_dataset(
        _source({}), tmp_path / "made", split=lambda groups: split_groups(groups, {"train": 0.75, "test": 0.25}, 0)
    )
    groups = {name: {s.group for s in dataset.split(name)} for name in ("train", "test")}
    assert (len(groups["train"]), len(groups["test"])) == (3, 1)


def test_splits_of_the_authors_stay_as_they_are(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"made has splits of its own \(train\); they stay as they are"):
        write_dataset(_source({"train": ["g0"]}), tmp_path / "made", split=lambda groups: {})
