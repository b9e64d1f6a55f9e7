"""SAR-RARP50: archives with a real video of a few frames, made as the release has them."""

import shutil
import zipfile
from pathlib import Path

import pytest

from tests.support.published.pictures import halves, write_picture
from tests.support.published.sar_rarp50 import MASKED, pack, square_mask, write_recording
from training.datasets.published import sar_rarp50
from training.datasets.reading import Dataset
from training.datasets.writing import write_dataset
from training.errors import DatasetError


@pytest.fixture
def release(tmp_path: Path) -> Path:
    root = tmp_path / "release"
    pack(write_recording(root / "train1" / "video_1"))
    pack(write_recording(root / "train1" / "video_11_1"), inner="video_11_1/")
    write_recording(root / "train2" / "video_11_2")
    pack(write_recording(root / "test" / "video_41"))
    return root


def _prepared(source: Path, out: Path, **options: int) -> Dataset:
    return write_dataset(sar_rarp50.read(source, **options), out)


def test_only_frames_with_a_mask_are_taken_and_each_is_the_frame_of_its_number(release: Path, tmp_path: Path) -> None:
    dataset = _prepared(release, tmp_path / "out", validation_videos=0)
    ids = [sample.id for sample in dataset.index.samples if sample.group == "video_01"]
    assert ids == ["video_1_000000000", "video_1_000000003", "video_1_000000006"]
    for sample in dataset.index.samples:
        number = int(sample.id[-9:])
        assert abs(float(dataset.image(sample).mean()) - 20 * number) < 4
        assert dataset.mask(sample).tolist() == square_mask(9).tolist()


def test_folders_tell_the_split_and_two_parts_are_one_group(release: Path) -> None:
    source = sar_rarp50.read(release, validation_videos=0)
    assert source.splits == {"train": ["video_01", "video_11"], "test": ["video_41"]}
    assert source.count == 12


def test_validation_is_carved_out_of_training_by_operation(release: Path) -> None:
    splits = sar_rarp50.read(release, validation_videos=1, seed=1).splits
    assert sorted(splits["train"] + splits["val"]) == ["video_01", "video_11"]
    assert len(splits["val"]) == 1
    assert splits == sar_rarp50.read(release, validation_videos=1, seed=1).splits


def test_without_folders_that_tell_videos_above_40_are_the_test(tmp_path: Path) -> None:
    for number in (40, 41):
        write_recording(tmp_path / f"video_{number}", {0: 1})
    assert sar_rarp50.read(tmp_path, validation_videos=0).splits == {"train": ["video_40"], "test": ["video_41"]}


@pytest.mark.parametrize("folder", ["test", "test_set", "test-set", "SAR-RARP50_test_set", "testdata"])
def test_the_folder_tells_more_than_the_number(tmp_path: Path, folder: str) -> None:
    for path in (tmp_path / "a" / "train2" / "video_02", tmp_path / "a" / folder / "video_03"):
        write_picture(path / "segmentation" / "000000000.png", square_mask(1))
    assert sar_rarp50.read(tmp_path / "a", validation_videos=0).splits == {"train": ["video_02"], "test": ["video_03"]}


def test_one_archive_alone_can_be_read(release: Path) -> None:
    frames = list(sar_rarp50.read(release / "test" / "video_41.zip").frames)
    assert [frame.group for frame in frames] == ["video_41"] * 3


def test_an_archive_beside_its_own_folder_is_read_once(tmp_path: Path) -> None:
    folder = write_recording(tmp_path / "video_02")
    with zipfile.ZipFile(tmp_path / "video_02.zip", "w") as archive:
        archive.writestr("x", b"")
    assert [frame.id for frame in sar_rarp50.read(tmp_path, validation_videos=0).frames] == [
        f"{folder.name}_{number:09d}" for number in MASKED
    ]


def test_the_same_operation_on_both_sides_is_refused(release: Path) -> None:
    write_recording(release / "test" / "video_01")
    with pytest.raises(DatasetError, match="video_01 lies in the training and in the test folder"):
        sar_rarp50.read(release)


def test_ten_classes_have_the_values_of_the_release() -> None:
    assert [info.name for info in sar_rarp50.CLASSES] == [
        "background", "tool clasper", "tool wrist", "tool shaft", "suturing needle",
        "thread", "suction tool", "needle holder", "clamps", "catheter",
    ]  # fmt: skip


def test_a_value_beyond_the_classes_is_refused_with_archive_and_file(tmp_path: Path) -> None:
    pack(write_recording(tmp_path / "in" / "video_05", {0: 1, 3: 10}))
    with pytest.raises(DatasetError, match=r"video_05\.zip/segmentation/000000003\.png holds the values \[10\]"):
        _prepared(tmp_path / "in", tmp_path / "out", validation_videos=0)


def test_a_mask_of_another_size_is_refused_by_name(tmp_path: Path) -> None:
    folder = write_recording(tmp_path / "in" / "video_05")
    write_picture(folder / "segmentation" / "000000003.png", halves(0, 1))
    with pytest.raises(DatasetError, match=r"segmentation/000000003\.png is 32x16, its frame 64x48"):
        _prepared(tmp_path / "in", tmp_path / "out", validation_videos=0)


def test_a_video_that_ends_before_its_last_mask_is_refused(tmp_path: Path) -> None:
    pack(write_recording(tmp_path / "in" / "video_05", {0: 1, 60: 1}))
    with pytest.raises(DatasetError, match=r"video_05\.zip/video_left\.avi ends after 8 frames; .* masks for \[60\]"):
        _prepared(tmp_path / "in", tmp_path / "out", validation_videos=0)


@pytest.mark.parametrize(
    ("lost", "said"),
    [("video_left.avi", r"video_05\.zip holds no video_left\.avi"), ("segmentation", r"holds no segmentation/\*\.png")],
)
def test_an_archive_that_lacks_a_part_is_refused_by_name(tmp_path: Path, lost: str, said: str) -> None:
    folder = write_recording(tmp_path / "in" / "video_05")
    if lost == "segmentation":
        shutil.rmtree(folder / lost)
    else:
        (folder / lost).unlink()
    pack(folder)
    with pytest.raises(DatasetError, match=said):
        list(sar_rarp50.read(tmp_path / "in", validation_videos=0).frames)


def test_a_video_that_cannot_be_decoded_is_refused_by_name(tmp_path: Path) -> None:
    folder = write_recording(tmp_path / "in" / "video_05")
    (folder / "video_left.avi").write_bytes(b"no video")
    pack(folder)
    with pytest.raises(DatasetError, match=r"video_05\.zip/video_left\.avi cannot be decoded"):
        list(sar_rarp50.read(tmp_path / "in", validation_videos=0).frames)


def test_a_corrupt_archive_is_refused_by_name_and_member(tmp_path: Path) -> None:
    path = pack(write_recording(tmp_path / "in" / "video_05"))
    data = bytearray(path.read_bytes())
    start = data.index(b"video_left.avi") + 60
    data[start : start + 40] = bytes(40)
    path.write_bytes(data)
    with pytest.raises(DatasetError, match=r"video_05\.zip is damaged at video_left\.avi"):
        list(sar_rarp50.read(tmp_path / "in", validation_videos=0).frames)


def test_a_file_that_is_no_archive_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "video_05.zip").write_bytes(b"PK not really")
    with pytest.raises(DatasetError, match=r"video_05\.zip is no readable zip archive"):
        sar_rarp50.read(tmp_path, validation_videos=0)


def test_names_that_tell_nothing_are_refused(tmp_path: Path) -> None:
    write_recording(tmp_path / "in" / "video_05", {})
    write_picture(tmp_path / "in" / "video_05" / "segmentation" / "first.png", square_mask(1))
    with pytest.raises(DatasetError, match=r"segmentation/first\.png is not named after a frame number"):
        list(sar_rarp50.read(tmp_path / "in", validation_videos=0).frames)
    (tmp_path / "video_best.zip").write_bytes(b"")
    with pytest.raises(DatasetError, match=r"video_best\.zip is not called video_NN"):
        sar_rarp50.read(tmp_path, validation_videos=0)
    with pytest.raises(DatasetError, match=r"holds no video_NN\.zip and no folder video_NN"):
        sar_rarp50.read(tmp_path / "in" / "video_05" / "segmentation")


def test_the_temporary_folder_of_an_archive_is_gone_when_reading_stops_early(
    release: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    frames = sar_rarp50.read(release / "train1" / "video_1.zip", validation_videos=0).frames
    next(frames)
    assert len(list(scratch.iterdir())) == 1
    frames.close()  # type: ignore[attr-defined]
    assert not list(scratch.iterdir())
