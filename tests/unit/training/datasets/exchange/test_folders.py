"""Plain folders of pictures and masks, in the modes in which masks are found; and the groups of own frames."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from training.datasets.exchange.folders import read
from training.datasets.exchange.grouping import group_names
from training.datasets.exchange.labels import make_colour, number_classes
from training.datasets.exchange.own import Own
from training.errors import DatasetError

OWN = Own("mine", "none", None)


def _save(path: Path, pixels: np.ndarray, mode: str | None = None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = Image.fromarray(pixels)
    (picture.convert(mode) if mode else picture).save(path)


def _frame(folder: Path, name: str, mask: np.ndarray, suffix: str = "") -> None:
    _save(folder / "images" / f"{name}.jpg", np.full((*mask.shape[:2], 3), 90, np.uint8))
    _save(folder / "masks" / f"{name}{suffix}.png", mask)


def _halves(left: int, right: int) -> np.ndarray:
    return np.array([[left] * 4 + [right] * 4] * 6, np.uint8)


def _mask(folder: Path, **options: str) -> np.ndarray:
    (frame,) = read(folder, OWN, **options).frames
    return frame.load_mask()


@pytest.mark.parametrize("white", [1, 255])
def test_a_binary_mask_is_one_class(tmp_path: Path, white: int) -> None:
    _frame(tmp_path, "a", _halves(0, white))
    np.testing.assert_array_equal(_mask(tmp_path, classes="polyp"), _halves(0, 1))
    assert [c.name for c in read(tmp_path, OWN, classes="polyp").classes] == ["background", "polyp"]
    assert read(tmp_path, OWN).classes[1].name == "foreground"


@pytest.mark.parametrize("mode", ["1", "L", "RGB", "RGBA", "I;16"])
def test_a_binary_mask_is_read_in_whatever_mode_it_was_saved(tmp_path: Path, mode: str) -> None:
    _frame(tmp_path, "a", _halves(0, 255))
    if mode == "I;16":
        _save(tmp_path / "masks" / "a.png", _halves(0, 255).astype(np.uint16))
    else:
        _save(tmp_path / "masks" / "a.png", _halves(0, 255), mode)
    np.testing.assert_array_equal(_mask(tmp_path), _halves(0, 1))


def test_a_jpeg_mask_loses_its_ringing(tmp_path: Path) -> None:
    _frame(tmp_path, "a", np.repeat(np.repeat(_halves(0, 255), 8, 0), 8, 1))
    (tmp_path / "masks" / "a.png").unlink()
    _save(tmp_path / "masks" / "a.jpg", np.repeat(np.repeat(_halves(0, 255), 8, 0), 8, 1))
    np.testing.assert_array_equal(_mask(tmp_path), np.repeat(np.repeat(_halves(0, 1), 8, 0), 8, 1))


def test_class_ids_taken_for_a_binary_mask_are_refused_rather_than_lost(tmp_path: Path) -> None:
    _frame(tmp_path, "a", _halves(1, 2))
    with pytest.raises(DatasetError, match=r"a\.png holds the values \[1, 2\]: no binary mask; for class ids give"):
        _mask(tmp_path)


def test_index_masks_take_their_classes_in_order_or_by_value(tmp_path: Path) -> None:
    _frame(tmp_path, "a", _halves(0, 2))
    np.testing.assert_array_equal(_mask(tmp_path, classes="shaft,tip"), _halves(0, 2))
    _frame(tmp_path, "a", _halves(31, 32))
    source = read(tmp_path, OWN, classes="31=grasper,32=hook")
    assert {c.id: c.name for c in source.classes} == {0: "background", 31: "grasper", 32: "hook"}
    np.testing.assert_array_equal(_mask(tmp_path, classes="31=grasper,32=hook"), _halves(31, 32))
    with pytest.raises(DatasetError, match=r"a\.png holds the values \[32\]; the classes have \[0, 31, 33\]"):
        _mask(tmp_path, classes="31=grasper,33=hook")


def test_a_palette_is_read_by_its_indices(tmp_path: Path) -> None:
    _frame(tmp_path, "a", _halves(0, 1))
    indexed = Image.fromarray(_halves(0, 2)).convert("P")
    indexed.putdata(_halves(0, 2).ravel().tolist())
    indexed.putpalette([0, 0, 0, 255, 0, 0, 0, 0, 255])
    indexed.save(tmp_path / "masks" / "a.png")
    np.testing.assert_array_equal(_mask(tmp_path, classes="shaft,tip"), _halves(0, 2))


def test_colours_are_read_by_their_table(tmp_path: Path) -> None:
    table = tmp_path / "colours.txt"
    table.write_text("background:0,0,0\nhook:255,0,10\ngrasper:1,2,3\n")
    rgb = np.zeros((6, 8, 3), np.uint8)
    rgb[:, 4:], rgb[0, 0] = (255, 0, 10), (1, 2, 3)
    _frame(tmp_path, "a", rgb)
    mask = _mask(tmp_path, colours=str(table))
    assert (mask[0, 0], mask[3, 0], mask[3, 5]) == (2, 0, 1)
    table.write_text("background:0,0,0\nhook:255,0,10\n")
    with pytest.raises(DatasetError, match=r"a\.png holds the colours \[\(1, 2, 3\)\]"):
        _mask(tmp_path, colours=str(table))
    with pytest.raises(DatasetError, match=r"a\.png is a colour picture; give its colour table"):
        _mask(tmp_path)


def test_masks_with_a_suffix_belong_to_the_picture_of_the_name_before_it(tmp_path: Path) -> None:
    _frame(tmp_path, "op1/a", _halves(0, 255), "_mask")
    (frame,) = read(tmp_path, OWN, suffix="_mask").frames
    assert (frame.id, frame.image) == ("op1_a", tmp_path / "images" / "op1" / "a.jpg")


def test_pictures_and_masks_may_lie_in_one_folder(tmp_path: Path) -> None:
    _save(tmp_path / "a.jpg", np.full((6, 8, 3), 90, np.uint8))
    _save(tmp_path / "a_mask.png", _halves(0, 255))
    (frame,) = read(tmp_path, OWN, images=".", masks=".", suffix="_mask").frames
    assert frame.image == tmp_path / "a.jpg"


def test_what_has_no_partner_is_listed(tmp_path: Path) -> None:
    _frame(tmp_path, "a", _halves(0, 255))
    _frame(tmp_path, "b", _halves(0, 255))
    _frame(tmp_path, "c", _halves(0, 255))
    (tmp_path / "masks" / "b.png").unlink()
    (tmp_path / "masks" / "c.png").unlink()
    with pytest.raises(DatasetError, match="2 pictures without a mask: b, c"):
        read(tmp_path, OWN)
    _frame(tmp_path, "b", _halves(0, 255))
    _frame(tmp_path, "c", _halves(0, 255))
    (tmp_path / "images" / "c.jpg").unlink()
    with pytest.raises(DatasetError, match="1 masks without a picture: c"):
        read(tmp_path, OWN)


def test_two_files_of_one_name_and_missing_folders_are_refused(tmp_path: Path) -> None:
    _frame(tmp_path, "a", _halves(0, 255))
    with pytest.raises(DatasetError, match="elsewhere is no folder"):
        read(tmp_path, OWN, masks="elsewhere")
    _save(tmp_path / "images" / "a.png", np.full((6, 8, 3), 90, np.uint8))
    with pytest.raises(DatasetError, match=r"a\.jpg and .*a\.png have one name"):
        read(tmp_path, OWN)


def test_a_broken_mask_is_named_when_it_is_read(tmp_path: Path) -> None:
    _frame(tmp_path, "a", _halves(0, 255))
    (tmp_path / "masks" / "a.png").write_bytes(b"no picture")
    with pytest.raises(DatasetError, match=r"a\.png is missing or no readable picture"):
        _mask(tmp_path)


NAMES = ["video1/part2/f_01.jpg", "video1/part2/f_02.jpg", "video2/part1/f_01.jpg"]


@pytest.mark.parametrize(
    ("group_from", "groups"),
    [
        (None, ["video1/part2", "video1/part2", "video2/part1"]),
        ("folder", ["video1", "video1", "video2"]),
        ("folder:2", ["part2", "part2", "part1"]),
        (r"(?P<group>video\d+)", ["video1", "video1", "video2"]),
        (r"f_(?P<group>\d+)", ["01", "02", "01"]),
    ],
)
def test_groups_come_from_folders_or_a_pattern(group_from: str | None, groups: list[str]) -> None:
    assert group_names(NAMES, group_from)[0] == groups


def test_without_folders_every_frame_is_a_group_and_the_unit_says_so() -> None:
    assert group_names(["a.jpg", "b.jpg"], None) == (["a.jpg", "b.jpg"], "frame")


@pytest.mark.parametrize(
    ("group_from", "said"),
    [
        ("folder:3", "finds no group in 3 names"),
        (r"(?P<group>patient\d+)", "finds no group in 3 names"),
        (r"video\d+", "lacks a group called 'group'"),
        ("(", "is no regular expression"),
    ],
)
def test_names_without_a_group_are_refused(group_from: str, said: str) -> None:
    with pytest.raises(DatasetError, match=said):
        group_names(NAMES, group_from)


def test_class_colours_differ() -> None:
    assert len({make_colour(i) for i in range(40)}) == 40


def test_ids_beyond_a_byte_are_refused() -> None:
    with pytest.raises(DatasetError, match="class ids lie in 1 to 255"):
        number_classes(["a", "b"], {"a": 1, "b": 256})
