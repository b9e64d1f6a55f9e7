"""Kvasir-Instrument and Kvasir-SEG, in the layouts of their archives."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt

from tests.support.published.kvasir import RIGHT_HALF, boxes_json, write_instrument
from tests.support.published.pictures import channels, flat, halves, write_picture
from training.datasets.published import kvasir_instrument, kvasir_seg
from training.datasets.published.boxes import note_boxes
from training.datasets.reading import Dataset
from training.datasets.writing import write_dataset
from training.errors import DatasetError


@pytest.fixture
def instrument(tmp_path: Path) -> Path:
    write_instrument(tmp_path / "kvasir-instrument")
    return tmp_path / "kvasir-instrument"


def test_the_published_split_of_590_frames_is_451_80_and_59(tmp_path: Path) -> None:
    names = [f"{number:03d}" for number in range(590)]
    for folder, ending in (("images", "jpg"), ("masks", "png")):
        (tmp_path / folder).mkdir()
        for name in names:
            (tmp_path / folder / f"{name}.{ending}").touch()
    splits = kvasir_instrument.read(tmp_path).splits
    assert {name: len(ids) for name, ids in splits.items()} == {"train": 451, "val": 80, "test": 59}
    assert len(splits["train"]) + len(splits["val"]) == 531, "what the published run trained on"
    assert sorted(name for ids in splits.values() for name in ids) == names
    assert splits == kvasir_instrument.read(tmp_path, seed=0).splits
    assert splits["test"] != kvasir_instrument.read(tmp_path, seed=1).splits["test"]


def test_the_authors_lists_give_the_test_and_validation_comes_from_their_training(instrument: Path) -> None:
    splits = kvasir_instrument.read(instrument, split="authors").splits
    assert splits["test"] == ["ck0016", "ck0017", "ck0018", "ck0019"]
    assert (len(splits["train"]), len(splits["val"])) == (13, 3)


def test_masks_and_boxes_of_instruments_are_read(instrument: Path, tmp_path: Path) -> None:
    dataset = write_dataset(kvasir_instrument.read(instrument), tmp_path / "out")
    sample = dataset.index.samples[0]
    np.testing.assert_array_equal(dataset.mask(sample), halves(0, 1))
    assert sample.boxes == [(16, 0, 15, 15)]
    assert Dataset(tmp_path / "out").index.samples[0].boxes == sample.boxes
    assert dataset.index.notes == []


@pytest.mark.parametrize("radius", [0, 1, 2, 5])
def test_dilation_sets_every_pixel_within_the_radius(radius: int) -> None:
    mask = np.zeros((40, 50), np.uint8)
    mask[12, 20] = mask[0, 49] = 1
    mask[20:30, 10:14] = 1
    within = distance_transform_edt(mask == 0) <= radius
    np.testing.assert_array_equal(kvasir_instrument.dilate(mask, radius), within.astype(np.uint8))


def test_masks_grow_by_the_option(instrument: Path) -> None:
    mask = next(iter(kvasir_instrument.read(instrument, dilate_px=3).frames)).load_mask()
    assert (mask[0, 12], mask[0, 13]) == (0, 1)


def test_archives_that_are_still_packed_are_told_how_to_unpack(instrument: Path) -> None:
    for path in (instrument / "images").iterdir():
        path.unlink()
    (instrument / "images.tar.gz").touch()
    with pytest.raises(DatasetError, match=r"images\.tar\.gz is still packed: .*tar -xzf"):
        kvasir_instrument.read(instrument)


@pytest.mark.parametrize(("lost", "said"), [("images/ck0003.jpg", "images"), ("masks/ck0003.png", "masks")])
def test_a_frame_without_its_partner_is_named(instrument: Path, lost: str, said: str) -> None:
    (instrument / lost).unlink()
    with pytest.raises(DatasetError, match=rf"{said} lacks ck0003"):
        kvasir_instrument.read(instrument)


@pytest.mark.parametrize(
    ("mask", "said"),
    [(halves(0, 1), r"masks/ck0003\.png holds greys up to 1"), (halves(0, 255)[:, :8], r"ck0003\.jpg is 32x16, its")],
)
def test_a_damaged_mask_is_named(instrument: Path, tmp_path: Path, mask: np.ndarray, said: str) -> None:
    write_picture(instrument / "masks" / "ck0003.png", mask)
    with pytest.raises(DatasetError, match=said):
        write_dataset(kvasir_instrument.read(instrument), tmp_path / "out")


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("test.txt", "ck0001\n", r"lists ck0001 in train\.txt and in test\.txt"),
        ("test.txt", "ck9999\n", "lacks ck9999, which the lists name"),
        ("bboxes.json", "{}]", r"bboxes\.json does not hold bounding boxes"),
        ("bboxes.json", boxes_json(["ck0000"]), r"bboxes\.json has no boxes for ck0001"),
    ],
)
def test_a_contradictory_list_is_named(instrument: Path, file: str, text: str, said: str) -> None:
    (instrument / file).write_text(text)
    with pytest.raises(DatasetError, match=said):
        kvasir_instrument.read(instrument, split="authors")


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """Kvasir-SEG as it is downloaded: no split lists, and the boxes' file with its misspelt name."""
    names = [f"cju{number:02d}" for number in range(25)]
    for name in names:
        write_picture(tmp_path / "Kvasir-SEG" / "images" / f"{name}.jpg", flat(120))
        write_picture(tmp_path / "Kvasir-SEG" / "masks" / f"{name}.jpg", channels(halves(0, 255)))
    narrow = {**RIGHT_HALF, "xmin": 20}
    (tmp_path / "Kvasir-SEG" / "kavsir_bboxes.json").write_text(boxes_json(names, cju07=narrow))
    return tmp_path / "Kvasir-SEG"


def test_without_lists_a_split_is_drawn_on_request(archive: Path) -> None:
    with pytest.raises(DatasetError, match=r"splits/train\.txt.*--option split=drawn"):
        kvasir_seg.read(archive)
    source = kvasir_seg.read(archive, split="drawn", seed=4)
    assert {name: len(ids) for name, ids in source.splits.items()} == {"train": 22, "val": 3}
    assert source.split_unit == "frame (drawn with seed 4)"


def test_a_box_that_does_not_hold_its_mask_is_noted_and_kept(archive: Path, tmp_path: Path) -> None:
    dataset = write_dataset(kvasir_seg.read(archive, split="drawn"), tmp_path / "out")
    assert dataset.index.notes == ["cju07.jpg: 32 of 256 pixels lie more than 2 px outside the boxes"]
    assert next(s for s in dataset.index.samples if s.id == "cju07").boxes == [(20, 0, 11, 15)]
    wide = write_dataset(kvasir_seg.read(archive, split="drawn", box_tolerance_px=4), tmp_path / "wide")
    assert wide.index.notes == []


def test_boxes_together_hold_a_mask_of_several_parts_and_an_empty_one_is_noted() -> None:
    mask = np.zeros((20, 40), np.uint8)
    mask[2:6, 2:6] = mask[10:15, 30:38] = 1
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    boxes = [(int(x), int(y), int(w), int(h)) for x, y, w, h in map(cv2.boundingRect, contours)]
    assert note_boxes("a", boxes, 0, mask) is None
    assert note_boxes("a", boxes[:1], 0, mask) is not None
    assert note_boxes("a", [*boxes, (20, 0, 3, 3)], 0, mask) == "a: the box [20, 0, 3, 3] holds nothing of the mask"


def test_a_few_stray_pixels_outside_of_the_boxes_are_no_news() -> None:
    mask = np.zeros((40, 40), np.uint8)
    mask[:20, :20] = 1
    mask[30, 30:34] = 1
    assert note_boxes("a", [(0, 0, 20, 20)], 0, mask) is None
    mask[30, 34] = 1
    assert note_boxes("a", [(0, 0, 20, 20)], 0, mask) == "a: 5 of 405 pixels lie more than 0 px outside the boxes"
