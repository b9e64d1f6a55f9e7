"""UCL ex-vivo dVRK set, in the layout of the release."""

from pathlib import Path

import numpy as np
import pytest

from tests.support.published.pictures import flat, halves, write_picture
from tests.support.published.ucl_synthetic import write_video_folder
from training.datasets.published import ucl_synthetic
from training.datasets.writing import write_dataset
from training.errors import DatasetError


@pytest.fixture
def release(tmp_path: Path) -> Path:
    for number in range(1, 15):
        write_video_folder(tmp_path / "Synthetic_MICCAI2020_dataset" / f"Video_{number:02d}")
    return tmp_path


def test_fourteen_videos_are_split_eight_two_four(release: Path) -> None:
    source = ucl_synthetic.read(release)
    assert {name: len(videos) for name, videos in source.splits.items()} == {"train": 8, "val": 2, "test": 4}
    assert source.splits["test"] == ["Video_11", "Video_12", "Video_13", "Video_14"]
    assert source.count == 28


def test_masks_of_three_channels_become_one_class(release: Path, tmp_path: Path) -> None:
    dataset = write_dataset(ucl_synthetic.read(release), tmp_path / "out")
    sample = dataset.split("val")[0]
    assert (sample.id, sample.group) == ("Video_09_000", "Video_09")
    np.testing.assert_array_equal(dataset.mask(sample), halves(0, 1))
    assert dataset.image(sample).tolist() == flat(90).tolist()


def test_few_videos_need_smaller_splits(tmp_path: Path) -> None:
    for number in range(3):
        write_video_folder(tmp_path / f"Video_{number:02d}")
    with pytest.raises(DatasetError, match="3 videos: 2 for validation and 4 for the test leave none"):
        ucl_synthetic.read(tmp_path)
    splits = ucl_synthetic.read(tmp_path, validation_videos=1, test_videos=1).splits
    assert splits == {"train": ["Video_00"], "val": ["Video_01"], "test": ["Video_02"]}


@pytest.mark.parametrize(("part", "other"), [("images", "ground_truth"), ("ground_truth", "images")])
def test_a_frame_without_its_partner_is_named(release: Path, part: str, other: str) -> None:
    lost = release / "Synthetic_MICCAI2020_dataset" / "Video_03" / part / "001.png"
    lost.unlink()
    with pytest.raises(DatasetError, match=rf"Video_03/{part}/001\.png is missing"):
        ucl_synthetic.read(release)
    assert (lost.parents[1] / other / "001.png").is_file()


@pytest.mark.parametrize(
    ("mask", "said"),
    [
        (halves(0, 1), r"Video_01/ground_truth/000\.png holds greys up to 1 only"),
        (np.full((8, 8), 255, np.uint8), r"images/000\.png is 32x16, its mask \(8, 8\)"),
        (np.full((16, 32, 3), (0, 0, 255), np.uint8), r"ground_truth/000\.png is a colour picture"),
    ],
)
def test_a_damaged_mask_is_named(tmp_path: Path, mask: np.ndarray, said: str) -> None:
    folder = write_video_folder(tmp_path / "in" / "Video_01")
    write_picture(folder / "ground_truth" / "000.png", mask)
    source = ucl_synthetic.read(tmp_path / "in", validation_videos=0, test_videos=0)
    with pytest.raises(DatasetError, match=said):
        write_dataset(source, tmp_path / "out")


def test_a_folder_without_videos_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="holds no Video_NN/ground_truth"):
        ucl_synthetic.read(tmp_path)
