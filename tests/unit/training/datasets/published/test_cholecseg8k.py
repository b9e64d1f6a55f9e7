"""CholecSeg8k, in the layout of the release: four PNG files a frame, clips of 80 frames in a folder each."""

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from tests.support.published.cholecseg8k import VALUES, VIDEOS, watershed, write_frame
from tests.support.published.pictures import channels, flat, halves, write_picture
from training.__main__ import app
from training.datasets.published import cholecseg8k
from training.datasets.reading import Dataset
from training.datasets.writing import write_dataset
from training.errors import DatasetError


@pytest.fixture
def release(tmp_path: Path) -> Path:
    for video in VIDEOS:
        for number in (80, 81, 160):
            write_frame(tmp_path / "CholecSeg8k", video, number)
    return tmp_path / "CholecSeg8k"


def test_every_class_is_read_by_its_value_and_what_is_no_class_is_background(release: Path, tmp_path: Path) -> None:
    dataset = write_dataset(cholecseg8k.read(release), tmp_path / "out")
    sample = dataset.index.samples[0]
    assert (sample.id, sample.group) == ("video01_00080_000080", "video01")
    expected = np.zeros((16, 32), np.uint8)
    expected[1:-1, 1:14] = np.arange(13)
    np.testing.assert_array_equal(dataset.mask(sample), expected)
    assert [info.name for info in dataset.index.classes] == [
        "black background", "abdominal wall", "liver", "gastrointestinal tract", "fat", "grasper", "connective tissue",
        "blood", "cystic duct", "l-hook electrocautery", "gallbladder", "hepatic vein", "liver ligament",
    ]  # fmt: skip


def test_binary_keeps_grasper_and_hook_as_one_class(release: Path) -> None:
    mask = next(iter(cholecseg8k.read(release, classes="binary").frames)).load_mask()
    assert np.flatnonzero(mask[8]).tolist() == [1 + VALUES.index(31), 1 + VALUES.index(32)]
    assert mask.max() == 1


@pytest.mark.parametrize("count", [3, 4])
def test_grey_and_alpha_make_no_difference(tmp_path: Path, count: int) -> None:
    path = write_frame(tmp_path, 1, 80)
    write_picture(path, channels(watershed(), count))
    with_channels = next(iter(cholecseg8k.read(tmp_path, validation_videos=0).frames)).load_mask()
    write_picture(path, watershed())
    assert (next(iter(cholecseg8k.read(tmp_path, validation_videos=0).frames)).load_mask() == with_channels).all()


def test_frames_come_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for number in (159, 80, 100, 99):
        write_frame(tmp_path, 1, number)
    frames = list(cholecseg8k.read(tmp_path, validation_videos=0).frames)
    assert [int(frame.id[-6:]) for frame in frames] == [80, 99, 100, 159]


@pytest.mark.parametrize(
    ("split", "test"), [("grammatikopoulou", [12, 20, 48, 55]), ("qiu", [12, 48, 52, 55]), ("drawn", None)]
)
def test_splits_are_by_video(release: Path, split: cholecseg8k.Split, test: list[int] | None) -> None:
    splits = cholecseg8k.read(release, split=split, seed=3).splits
    assert {name: len(videos) for name, videos in splits.items()} == {"train": 11, "val": 2, "test": 4}
    assert sorted(name for videos in splits.values() for name in videos) == [f"video{n:02d}" for n in VIDEOS]
    assert test is None or splits["test"] == [f"video{number}" for number in test]
    assert splits == cholecseg8k.read(release, split=split, seed=3).splits


def test_a_small_part_of_the_tree_will_do(release: Path) -> None:
    source = cholecseg8k.read(release / "video12", validation_videos=0)
    assert (source.splits, source.count) == ({"test": ["video12"]}, 3)
    source = cholecseg8k.read(release / "video01" / "video01_00080", validation_videos=0)
    assert (source.splits, source.count) == ({"train": ["video01"]}, 2)


def test_too_few_videos_to_validate_on_say_what_to_do(release: Path) -> None:
    with pytest.raises(DatasetError, match=r"2 groups cannot be taken out of 1: .*validation_videos=0"):
        cholecseg8k.read(release / "video01")


def test_a_value_without_meaning_is_refused_with_its_file_unless_it_is_to_be_background(tmp_path: Path) -> None:
    write_frame(tmp_path / "in", 1, 80, halves(31, 35))
    with pytest.raises(DatasetError, match=r"frame_80_endo_watershed_mask\.png holds the values \[35\]"):
        write_dataset(cholecseg8k.read(tmp_path / "in", validation_videos=0), tmp_path / "out")
    source = cholecseg8k.read(tmp_path / "in", validation_videos=0, stray="background")
    np.testing.assert_array_equal(next(iter(source.frames)).load_mask(), halves(5, 0))


def test_a_colour_mask_in_place_of_the_watershed_mask_is_refused(tmp_path: Path) -> None:
    path = write_frame(tmp_path, 1, 80)
    write_picture(path, np.full((16, 32, 3), (0, 255, 170), np.uint8))
    with pytest.raises(DatasetError, match=r"watershed_mask\.png is a colour picture"):
        next(iter(cholecseg8k.read(tmp_path, validation_videos=0).frames)).load_mask()


def test_masks_and_frames_that_lack_each_other_are_named(tmp_path: Path) -> None:
    mask = write_frame(tmp_path / "in", 1, 80)
    other = write_frame(tmp_path / "in", 1, 81)
    mask.unlink()
    with pytest.raises(DatasetError, match=r"frame_80_endo_watershed_mask\.png cannot be read: No such file"):
        write_dataset(cholecseg8k.read(tmp_path / "in", validation_videos=0), tmp_path / "out")
    (other.parent / "frame_81_endo.png").unlink()
    with pytest.raises(DatasetError, match=r"frame_81_endo\.png is missing beside it"):
        cholecseg8k.read(tmp_path / "in")


def test_a_mask_of_another_size_is_named(tmp_path: Path) -> None:
    write_frame(tmp_path / "in", 1, 80, np.ascontiguousarray(watershed()[::4, ::4]))
    with pytest.raises(DatasetError, match=r"frame_80_endo\.png is 32x16, its mask \(8, 4\)"):
        write_dataset(cholecseg8k.read(tmp_path / "in", validation_videos=0), tmp_path / "out")


def test_frames_outside_of_a_clip_folder_have_no_known_video(tmp_path: Path) -> None:
    write_picture(tmp_path / "frame_1_endo.png", flat(1))
    with pytest.raises(DatasetError, match=r"lies in no clip folder \(videoNN_FFFFF\)"):
        cholecseg8k.read(tmp_path)
    with pytest.raises(DatasetError, match=r"holds no frame_N_endo\.png"):
        cholecseg8k.read(tmp_path / "absent")


def test_prepare_writes_it_from_the_command_line_with_options(release: Path, tmp_path: Path) -> None:
    command = ["prepare", "cholecseg8k", "--source", str(release), "--data", str(tmp_path / "data")]
    result = CliRunner().invoke(app, [*command, "--option", "classes=binary", "--option", "split=qiu"])
    assert result.exit_code == 0, result.output
    index = Dataset(tmp_path / "data" / "cholecseg8k").index
    assert [info.name for info in index.classes] == ["background", "instrument"]
    assert {name: len(ids) for name, ids in index.splits.items()} == {"train": 33, "val": 6, "test": 12}


def test_prepare_says_which_options_there_are(release: Path, tmp_path: Path) -> None:
    command = ["prepare", "cholecseg8k", "--source", str(release), "--data", str(tmp_path)]
    result = CliRunner().invoke(app, [*command, "--option", "colour=red"])
    assert isinstance(result.exception, DatasetError)
    assert "there are: classes, split, validation_videos, seed, stray" in str(result.exception)
