"""The canonical data set: what is written is read back, and bad data is named."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.support.squares import CLASSES, red_square_frames
from training.config import DataUse, Preset
from training.datasets.picture_files import read_grey, write_png
from training.datasets.reading import Dataset
from training.datasets.selection import merge_table, select
from training.datasets.source import SourceDataset, SourceFrame
from training.datasets.writing import write_dataset
from training.errors import DatasetError, PresetError
from training.fitting.frames import hold_out, load, load_pairs


def _source(frames: list[SourceFrame], splits: dict[str, list[str]] | None = None) -> SourceDataset:
    return SourceDataset("made", "made by the test", "none", "group", CLASSES, splits or {}, iter(frames))


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    frames = list(red_square_frames(5))
    dataset = write_dataset(_source(frames, {"train": ["g0", "g2"]}), tmp_path / "made")
    again = Dataset(tmp_path / "made")
    assert again.index == dataset.index
    assert [s.id for s in again.split("train")] == ["f00", "f02", "f04"]
    for frame, sample in zip(frames, again.split("all"), strict=True):
        np.testing.assert_array_equal(again.image(sample), frame.image)
        np.testing.assert_array_equal(again.mask(sample), frame.mask)
        assert (sample.group, sample.height, sample.width) == (frame.group, 48, 60)


def test_a_published_jpeg_is_copied_not_encoded_again(tmp_path: Path) -> None:
    picture = tmp_path / "a.JPG"
    cv2.imwrite(
        str(picture.with_suffix(".jpg")), np.random.default_rng(0).integers(0, 255, (20, 30, 3), dtype=np.uint8)
    )
    picture.with_suffix(".jpg").rename(picture)
    frame = SourceFrame("a", "g", picture, np.zeros((20, 30), np.uint8))
    dataset = write_dataset(_source([frame]), tmp_path / "made")
    (sample,) = dataset.split("all")
    assert sample.image == "images/a.jpg"
    assert dataset.image_bytes(sample) == picture.read_bytes()


def test_preparing_again_leaves_nothing_of_the_first_time(tmp_path: Path) -> None:
    write_dataset(_source(list(red_square_frames(5))), tmp_path / "made")
    write_dataset(_source(list(red_square_frames(2))), tmp_path / "made")
    assert sorted(p.name for p in (tmp_path / "made" / "images").iterdir()) == ["f00.png", "f01.png"]


def test_a_broken_run_leaves_no_index(tmp_path: Path) -> None:
    def frames() -> Iterator[SourceFrame]:
        yield from red_square_frames(1)
        raise DatasetError("b.png is missing or no readable picture")

    write_dataset(_source(list(red_square_frames(2))), tmp_path / "made")
    with pytest.raises(DatasetError, match=r"b\.png"):
        write_dataset(replace(_source([]), frames=frames()), tmp_path / "made")
    with pytest.raises(DatasetError, match=r"made is no prepared data set: dataset\.json is missing"):
        Dataset(tmp_path / "made")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"mask": np.zeros((47, 60), np.uint8)}, r"f00\.png is 60x48, its mask \(60, 47\)"),
        (
            {"mask": np.full((48, 60), 9, np.uint8)},
            r"f00\.png holds the class ids \[9\]; the data set names \[0, 1, 2\]",
        ),
    ],
)
def test_a_mask_that_does_not_fit_is_refused_by_name(tmp_path: Path, change: dict[str, object], said: str) -> None:
    (frame,) = red_square_frames(1)
    with pytest.raises(DatasetError, match=said):
        write_dataset(_source([replace(frame, **change)]), tmp_path / "made")


def _with_two_bad(tmp_path: Path) -> list[SourceFrame]:
    good, small, torn = red_square_frames(3)
    picture = tmp_path / "torn.jpg"
    cv2.imwrite(str(picture), np.random.default_rng(0).integers(0, 255, (48, 60, 3), dtype=np.uint8))
    picture.write_bytes(picture.read_bytes()[:-200])
    return [replace(small, mask=np.zeros((47, 60), np.uint8)), replace(torn, image=picture), good]


def test_all_bad_frames_are_named_not_just_the_first(tmp_path: Path) -> None:
    with pytest.raises(DatasetError) as caught:
        write_dataset(_source(_with_two_bad(tmp_path)), tmp_path / "made")
    said = str(caught.value)
    assert said.startswith("2 frames cannot be used; --skip-bad leaves them out:")
    assert "f01.png is 60x48, its mask (60, 47)" in said
    assert "torn.jpg is cut off: its JPEG data has no end" in said


def test_bad_frames_are_left_out_when_asked_and_stay_on_record(tmp_path: Path) -> None:
    source = _source(_with_two_bad(tmp_path), {"train": ["g0", "g1"]})
    dataset = write_dataset(source, tmp_path / "made", skip_bad=True)
    assert [s.id for s in dataset.split("train")] == ["f00"]
    assert [(bad.id, bad.problem) for bad in dataset.index.skipped] == [
        ("f01", "mask of another size"),
        ("f02", "unreadable or wrong file"),
    ]


def test_a_mask_that_cannot_be_read_spoils_its_frame_alone(tmp_path: Path) -> None:
    def fail() -> np.ndarray:
        raise DatasetError("b.png is missing or no readable picture")

    good, bad, also_good = red_square_frames(3)
    frames = [good, replace(bad, mask=fail), also_good]
    dataset = write_dataset(_source(frames), tmp_path / "made", skip_bad=True)
    assert [s.id for s in dataset.split("all")] == ["f00", "f02"]


def test_what_stops_the_reader_stops_all_even_when_bad_frames_are_skipped(tmp_path: Path) -> None:
    def frames() -> Iterator[SourceFrame]:
        yield from _with_two_bad(tmp_path)
        raise DatasetError("the archive ends here")

    with pytest.raises(DatasetError, match=r"(?s)torn\.jpg.*the archive ends here"):
        write_dataset(replace(_source([]), frames=frames()), tmp_path / "made", skip_bad=True)


def test_a_png_that_was_cut_off_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    cv2.imwrite(str(path), np.random.default_rng(0).integers(0, 255, (60, 60), dtype=np.uint8))
    path.write_bytes(path.read_bytes()[:-1500])
    with pytest.raises(DatasetError, match=r"a\.png is cut off"):
        read_grey(path)


def test_the_same_frame_twice_is_refused(tmp_path: Path) -> None:
    (frame,) = red_square_frames(1)
    with pytest.raises(DatasetError, match="the same frame twice"):
        write_dataset(_source([frame, frame]), tmp_path / "made")


def test_no_frames_and_missing_groups_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="holds no frames"):
        write_dataset(_source([]), tmp_path / "made")
    with pytest.raises(DatasetError, match=r"lacks the groups \['g9'\]"):
        write_dataset(_source(list(red_square_frames(2)), {"test": ["g9"]}), tmp_path / "made")


def test_a_mask_changed_on_disk_is_refused_by_name(datasets: Path) -> None:
    dataset = Dataset(datasets / "squares")
    sample = dataset.split("all")[0]
    cv2.imwrite(str(datasets / "squares" / sample.mask), np.full((48, 60), 77, np.uint8))
    with pytest.raises(DatasetError, match=r"masks/f00\.png holds the class ids \[77\]"):
        dataset.mask(sample)


def test_an_index_of_another_format_is_refused(datasets: Path) -> None:
    path = datasets / "squares" / "dataset.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "format": 2}))
    with pytest.raises(DatasetError, match="has format 2; this version reads 1"):
        Dataset(datasets / "squares")


def test_an_unknown_split_names_those_that_are_there(datasets: Path) -> None:
    with pytest.raises(DatasetError, match=r"no split 'val'; it has \['test', 'train'\] and 'all'"):
        Dataset(datasets / "squares").split("val")


def test_classes_are_merged_by_name(datasets: Path, preset: Preset) -> None:
    dataset = Dataset(datasets / "squares")
    assert merge_table(dataset, preset)[:3].tolist() == [0, 1, 1]
    (pair, *_) = load(dataset, dataset.split("all"), preset, preset.input.spec())
    assert pair[0].shape == (32, 64, 3)
    assert sorted(np.unique(pair[1]).tolist()) == [0, 1]


def test_a_class_that_the_preset_does_not_know_is_refused(datasets: Path, preset: Preset) -> None:
    with pytest.raises(PresetError, match="squares has the class 'shaft'"):
        merge_table(Dataset(datasets / "squares"), preset.model_copy(update={"merge": {}}))


def test_letterboxed_masks_lie_where_their_images_lie(datasets: Path, preset: Preset) -> None:
    dataset = Dataset(datasets / "squares")
    boxed = preset.model_copy(update={"input": preset.input.model_copy(update={"resize": "letterbox"})})
    for image, mask in load(dataset, dataset.split("all"), boxed, boxed.input.spec()):
        red = (image[..., 0] > 175) & (image[..., 1] < 80)
        assert (red == (mask > 0)).mean() > 0.97


def test_repeats_count_and_groups_are_held_out_whole(datasets: Path, preset: Preset) -> None:
    use = DataUse(data="squares", split="train", repeat=3)
    changed = preset.model_copy(update={"train": [use], "validation": [], "holdout": 0.34})
    training, validation = load_pairs(changed, datasets)
    kept, held = hold_out(Dataset(datasets / "squares").split("train"), 0.34, preset.seed)
    assert (len(training), len(validation)) == (3 * len(kept), len(held))
    assert {s.group for s in kept}.isdisjoint({s.group for s in held})
    assert len({s.group for s in held}) == 1


def test_groups_that_the_split_does_not_hold_are_refused(datasets: Path) -> None:
    with pytest.raises(PresetError, match=r"split 'train' holds no frame of the groups \['g3'\]"):
        select(Dataset(datasets / "squares"), DataUse(data="squares", split="train", groups=["g3"]))


def test_a_mask_of_sixteen_bits_is_refused_by_its_name(tmp_path: Path) -> None:
    assert cv2.imwrite(str(tmp_path / "deep.png"), np.full((4, 5), 300, np.uint16))
    with pytest.raises(DatasetError, match=r"deep\.png holds uint16 pixels; masks have 8 bits"):
        read_grey(tmp_path / "deep.png")


def test_a_picture_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"absent/a\.png could not be written"):
        write_png(tmp_path / "absent" / "a.png", np.zeros((4, 5), np.uint8))


@pytest.mark.parametrize("content", [b"", b"no picture", None])
def test_what_is_no_picture_is_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "a.jpg"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DatasetError, match=r"a\.jpg is missing or no readable picture"):
        read_grey(path)
