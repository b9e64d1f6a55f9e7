"""CVAT: its XML of images and its segmentation masks; what we write is what we read."""

from pathlib import Path
from xml.etree import ElementTree as ET

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pycocotools import mask as coco_mask

from tests.support.squares import write_squares
from training.datasets.exchange.cvat import encode_runs, read, write_cvat
from training.datasets.exchange.own import Own
from training.datasets.reading import Dataset
from training.datasets.writing import write_dataset
from training.errors import DatasetError

OWN = Own("mine", "none", None)

LAYOUT = """<?xml version="1.0" encoding="utf-8"?>
<annotations>
  <version>1.1</version>
  <meta><task><labels>
    <label><name>shaft</name><color>#40a0ff</color><type>any</type><attributes></attributes></label>
    <label><name>tip</name><color>#ffb020</color><type>any</type><attributes></attributes></label>
  </labels></task></meta>
  <image id="0" name="video1/a.png" subset="default" task_id="3" width="12" height="10">{shapes}</image>
</annotations>
"""
"""As CVAT 2 exports it (https://docs.cvat.ai/docs/other/xml_format)."""

MASK = (
    '<mask label="{label}" source="manual" occluded="0" rle="{rle}" left="2" top="3" width="4" height="3" z_order="0"/>'
)


def _write(folder: Path, shapes: str) -> Path:
    (folder / "images" / "video1").mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(folder / "images" / "video1" / "a.png"), np.full((10, 12, 3), 90, np.uint8))
    (folder / "annotations.xml").write_text(LAYOUT.format(shapes=shapes))
    return folder


def _draw(folder: Path, shapes: str, **options: str) -> np.ndarray:
    (frame,) = read(_write(folder, shapes), OWN, **options).frames
    return frame.load_mask()


def test_a_mask_is_run_lengths_in_its_own_box_row_by_row(tmp_path: Path) -> None:
    expected = np.zeros((10, 12), np.uint8)
    expected[3, 3:6] = expected[4, 2:4] = expected[5, 5] = 2
    np.testing.assert_array_equal(_draw(tmp_path, MASK.format(label="tip", rle="1, 5, 5, 1")), expected)


def test_a_polygon_is_filled_as_cvat_fills_it_for_its_own_masks(tmp_path: Path) -> None:
    points = [(1.5, 1.25), (10.0, 2.0), (6.75, 8.5)]
    text = ";".join(f"{x},{y}" for x, y in points)
    drawn = _draw(tmp_path, f'<polygon label="shaft" occluded="0" points="{text}" z_order="0"/>')
    expected = coco_mask.decode(coco_mask.frPyObjects([[v for p in points for v in p]], 10, 12))[..., 0]
    np.testing.assert_array_equal(drawn, expected)


def test_the_higher_z_order_is_on_top_then_the_later(tmp_path: Path) -> None:
    shape = '<polygon label="{}" points="0,0;12,0;12,10;0,10" z_order="{}"/>'
    assert (_draw(tmp_path, shape.format("shaft", 1) + shape.format("tip", 0)) == 1).all()
    assert (_draw(tmp_path, shape.format("shaft", 0) + shape.format("tip", 0)) == 2).all()


def test_a_box_is_refused_unless_the_user_says_what_it_means(tmp_path: Path) -> None:
    box = '<box label="shaft" xtl="2" ytl="3" xbr="8" ybr="7" z_order="0"{}/>'
    with pytest.raises(DatasetError, match=r"video1/a\.png has a box; --option boxes=fill"):
        _draw(tmp_path, box.format(""))
    assert not _draw(tmp_path, box.format(""), boxes="skip").any()
    upright = _draw(tmp_path, box.format(""), boxes="fill")
    assert upright.sum() == upright[3:7, 2:8].sum() == 24
    turned = _draw(tmp_path, box.format(' rotation="90"'), boxes="fill")
    assert turned.sum() == turned[2:8, 3:7].sum() == 24


def test_an_ellipse_covers_its_area(tmp_path: Path) -> None:
    drawn = _draw(tmp_path, '<ellipse label="shaft" cx="6" cy="5" rx="5" ry="3" z_order="0"/>')
    assert drawn.sum() == pytest.approx(np.pi * 15, rel=0.1)


def test_a_picture_without_shapes_or_with_tags_alone_is_without_the_classes(tmp_path: Path) -> None:
    assert not _draw(tmp_path, '<tag label="blurred" source="manual"/>').any()


@pytest.mark.parametrize(
    ("shapes", "said"),
    [
        ('<polygon label="hook" points="0,0;1,1;2,0"/>', "has the label 'hook'; the labels are shaft, tip"),
        ('<polygon label="tip" points="0,0;1,1"/>', "polygon of 2 points"),
        ('<polyline label="tip" points="0,0;1,1"/>', "has a <polyline>, which covers no pixels"),
        ('<mask label="tip" left="0" top="0" width="2" height="2"/>', "a <mask> without 'rle'"),
        (MASK.format(label="tip", rle="1, 50"), "a mask of 51 pixels in 4x3 at 2,3: it does not fit"),
    ],
)
def test_a_shape_that_cannot_be_drawn_is_named(tmp_path: Path, shapes: str, said: str) -> None:
    with pytest.raises(DatasetError, match=rf"annotations\.xml: video1/a\.png.*{said}"):
        _draw(tmp_path, shapes)


def test_tracks_and_broken_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "annotations.xml"
    path.write_text("<annotations><track/></annotations>")
    with pytest.raises(DatasetError, match=r"export it as .CVAT for images 1\.1."):
        read(path, OWN)
    path.write_text("<annotations>")
    with pytest.raises(DatasetError, match=r"annotations\.xml is missing or no XML"):
        read(path, OWN)
    path.write_text("<html/>")
    with pytest.raises(DatasetError, match="no CVAT export: its root is <html>"):
        read(path, OWN)


@settings(max_examples=50)
@given(part=arrays(np.uint8, st.tuples(st.integers(1, 6), st.integers(1, 6)), elements=st.integers(0, 1)))
def test_run_lengths_give_the_part_back(part: np.ndarray) -> None:
    runs = encode_runs(part)
    values = np.repeat(np.arange(len(runs)) % 2, runs)
    np.testing.assert_array_equal(values.reshape(part.shape), part)
    assert all(run > 0 for run in runs[1:])


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    dataset = Dataset(write_squares(tmp_path) / "squares")
    path = write_cvat(dataset, dataset.root / "annotations.xml")
    again = write_dataset(read(path, OWN), tmp_path / "again")
    assert again.index.classes == dataset.index.classes
    assert [s.id for s in again.split("all")] == [s.id for s in dataset.split("all")]
    for ours, theirs in zip(again.split("all"), dataset.split("all"), strict=True):
        np.testing.assert_array_equal(again.mask(ours), dataset.mask(theirs))


def test_frames_are_written_in_the_order_asked_for(tmp_path: Path) -> None:
    dataset = Dataset(write_squares(tmp_path) / "squares")
    root = ET.parse(write_cvat(dataset, tmp_path / "some.xml", order=["f05", "f01"])).getroot()
    assert [(image.get("id"), image.get("name")) for image in root.iter("image")] == [
        ("0", "f05.png"),
        ("1", "f01.png"),
    ]
    assert {mask.get("z_order") for mask in root.iter("mask")} == {"0"}


@pytest.fixture
def export(tmp_path: Path) -> Path:
    """Segmentation mask 1.1, as CVAT exports it with images."""
    for folder in ("SegmentationClass", "JPEGImages", "ImageSets/Segmentation"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "labelmap.txt").write_text(
        "# label:color_rgb:parts:actions\nbackground:0,0,0::\nshaft:250,50,83::\ntip:51,221,255::\n"
    )
    (tmp_path / "ImageSets" / "Segmentation" / "default.txt").write_text("a\n")
    rgb = np.zeros((10, 12, 3), np.uint8)
    rgb[2:5], rgb[5:7] = (250, 50, 83), (51, 221, 255)
    cv2.imwrite(str(tmp_path / "SegmentationClass" / "a.png"), rgb[..., ::-1])
    cv2.imwrite(str(tmp_path / "JPEGImages" / "a.jpg"), np.full((10, 12, 3), 90, np.uint8))
    return tmp_path


def test_segmentation_masks_are_read_by_their_label_map(export: Path, tmp_path: Path) -> None:
    source = read(export, OWN)
    assert [(c.name, c.colour) for c in source.classes[1:]] == [("shaft", (250, 50, 83)), ("tip", (51, 221, 255))]
    (frame,) = source.frames
    assert frame.image == export / "JPEGImages" / "a.jpg"
    assert frame.load_mask()[:, 0].tolist() == [0, 0, 1, 1, 1, 2, 2, 0, 0, 0]


def test_a_colour_beside_the_label_map_is_named(export: Path) -> None:
    cv2.imwrite(str(export / "SegmentationClass" / "a.png"), np.full((10, 12, 3), (3, 2, 1), np.uint8))
    (frame,) = read(export, OWN).frames
    with pytest.raises(DatasetError, match=r"a\.png holds the colours \[\(1, 2, 3\)\]"):
        frame.load_mask()


@pytest.mark.parametrize(
    ("text", "said"),
    [("shaft:1,2\n", "expected name:red,green,blue"), ("a:1,2,3::\nb:1,2,3::\n", "stands twice")],
)
def test_a_label_map_that_cannot_be_read_is_named(export: Path, text: str, said: str) -> None:
    (export / "labelmap.txt").write_text(text)
    with pytest.raises(DatasetError, match=rf"labelmap\.txt.*{said}"):
        read(export, OWN)


def test_a_folder_that_is_no_export_says_what_an_export_holds(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"labelmap\.txt is missing: a CVAT export holds annotations\.xml, or"):
        read(tmp_path, OWN)
