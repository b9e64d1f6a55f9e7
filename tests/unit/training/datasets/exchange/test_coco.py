"""COCO: what pycocotools reads in a file is what we read, and what we write is what it reads."""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

from tests.support.squares import write_squares
from training.datasets.exchange.coco import read, write_coco
from training.datasets.exchange.own import Own
from training.datasets.reading import Dataset
from training.datasets.writing import write_dataset
from training.errors import DatasetError

OWN = Own("mine", "none", None)
HEIGHT, WIDTH = 40, 50


def _annotation(number: int, category: int, segmentation: Any, **more: Any) -> dict[str, Any]:
    box = {"bbox": [4, 4, 20, 20], "area": 400, "iscrowd": 0}
    return {"id": number, "image_id": 7, "category_id": category, "segmentation": segmentation, **box, **more}


def _rle(mask: np.ndarray, *, compressed: bool) -> dict[str, Any]:
    if compressed:
        encoded = coco_mask.encode(np.asfortranarray(mask))
        return {"size": encoded["size"], "counts": encoded["counts"].decode()}
    flat = mask.ravel(order="F")
    runs = np.diff(np.concatenate(([0], np.flatnonzero(np.diff(flat)) + 1, [flat.size]))).tolist()
    return {"size": [HEIGHT, WIDTH], "counts": [0, *runs] if flat[0] else runs}


def _write(folder: Path, annotations: list[dict[str, Any]], **changes: Any) -> Path:
    (folder / "images" / "op1").mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(folder / "images" / "op1" / "a.png"), np.full((HEIGHT, WIDTH, 3), 90, np.uint8))
    content = {
        "images": [{"id": 7, "file_name": "op1/a.png", "height": HEIGHT, "width": WIDTH}],
        "categories": [{"id": 3, "name": "grasper"}, {"id": 9, "name": "hook"}],
        "annotations": annotations,
        **changes,
    }
    path = folder / "annotations.json"
    path.write_text(json.dumps(content))
    return path


def _blob() -> np.ndarray:
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[10:30, 12:33] = 1
    mask[15:20, 15:22] = 0
    return mask


def _mask(path: Path, **options: Any) -> np.ndarray:
    (frame,) = read(path, OWN, **options).frames
    return frame.load_mask()


@pytest.mark.parametrize(
    "segmentation",
    [
        [[4.3, 5.1, 30.2, 6.0, 25.0, 33.7]],
        [[1, 1, 9, 1, 9, 9, 1, 9], [20, 20, 44.5, 22, 31, 38.2]],
        _rle(_blob(), compressed=True),
        _rle(_blob(), compressed=False),
    ],
    ids=["polygon", "two polygons", "compressed", "uncompressed"],
)
def test_every_segmentation_gives_the_mask_of_pycocotools(
    tmp_path: Path, segmentation: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    path = _write(tmp_path, [_annotation(1, 3, segmentation)])
    oracle = COCO(str(path))
    expected = oracle.annToMask(oracle.anns[1])
    assert expected.any()
    np.testing.assert_array_equal(_mask(path), expected * 3)


def test_the_later_annotation_is_on_top_and_crowds_lie_undermost(tmp_path: Path) -> None:
    left, right = [[0, 0, 30, 0, 30, 40, 0, 40]], [[20, 0, 50, 0, 50, 40, 20, 40]]
    assert _mask(_write(tmp_path, [_annotation(1, 3, left), _annotation(2, 9, right)]))[5, 25] == 9
    assert _mask(_write(tmp_path, [_annotation(1, 9, right), _annotation(2, 3, left)]))[5, 25] == 3
    crowd = _annotation(2, 9, _rle(np.ones((HEIGHT, WIDTH), np.uint8), compressed=False), iscrowd=1)
    mask = _mask(_write(tmp_path, [_annotation(1, 3, left), crowd]))
    assert (mask[5, 5], mask[5, 45]) == (3, 9)


def test_a_picture_without_annotations_is_a_frame_without_the_classes(tmp_path: Path) -> None:
    assert not _mask(_write(tmp_path, [])).any()


def test_the_group_is_the_folder_and_the_id_the_path(tmp_path: Path) -> None:
    path = _write(tmp_path, [])
    (frame,) = read(path, Own("mine", "none", "folder")).frames
    assert (frame.id, frame.group) == ("op1_a", "op1")
    assert frame.image == tmp_path / "images" / "op1" / "a.png"


def test_pictures_are_found_in_the_folder_that_is_named_even_by_their_name_alone(tmp_path: Path) -> None:
    path = _write(tmp_path, [])
    other = tmp_path / "elsewhere" / "deep"
    other.mkdir(parents=True)
    (tmp_path / "images" / "op1" / "a.png").rename(other / "a.png")
    (frame,) = read(path, OWN, images=str(tmp_path / "elsewhere")).frames
    assert frame.image == other / "a.png"


def test_a_picture_that_is_missing_is_named_and_a_path_never_leads_out_of_the_folder(tmp_path: Path) -> None:
    images = [{"id": 7, "file_name": "../../secret.png", "height": HEIGHT, "width": WIDTH}]
    (frame,) = read(_write(tmp_path, [], images=images), OWN).frames
    assert frame.image == tmp_path / "images" / "secret.png"
    with pytest.raises(DatasetError, match=r"secret\.png is missing"):
        write_dataset(read(_write(tmp_path, [], images=images), OWN), tmp_path / "out")


def test_category_ids_beyond_a_byte_are_numbered_and_colours_kept(tmp_path: Path) -> None:
    categories = [{"id": 900, "name": "hook", "color": [1, 2, 3]}, {"id": 0, "name": "grasper"}]
    source = read(_write(tmp_path, [_annotation(1, 900, [[0, 0, 9, 0, 9, 9]])], categories=categories), OWN)
    assert [(c.id, c.name) for c in source.classes] == [(0, "background"), (1, "grasper"), (2, "hook")]
    assert source.classes[2].colour == (1, 2, 3)
    (frame,) = source.frames
    assert frame.load_mask().max() == 2


def test_a_box_without_segmentation_is_refused_unless_the_user_says_what_it_means(tmp_path: Path) -> None:
    path = _write(tmp_path, [_annotation(1, 3, [])])
    with pytest.raises(DatasetError, match=r"op1/a\.png, annotation 1, has no segmentation; --option boxes=fill"):
        _mask(path)
    assert not _mask(path, boxes="skip").any()
    assert _mask(path, boxes="fill").sum() == 3 * 20 * 20


@pytest.mark.parametrize(
    ("segmentation", "said"),
    [
        ([[1, 1, 5, 5]], "annotation 1, has a polygon of 2 points"),
        ([[1, 1, 5, 5, float("nan"), 3]], "a coordinate that is no number"),
        ({"size": [9, 9], "counts": [81]}, r"run lengths of size \[9, 9\]"),
        ({"size": [HEIGHT, WIDTH], "counts": [5, 5]}, "run lengths of 10 pixels"),
        ({"size": [HEIGHT, WIDTH]}, "no run lengths"),
        ({"size": [HEIGHT, WIDTH], "counts": "zzzzzzzz"}, r"run lengths of \S+ pixels; its picture has 2000"),
    ],
)
def test_a_bad_segmentation_is_named(tmp_path: Path, segmentation: Any, said: str) -> None:
    with pytest.raises(DatasetError, match=said):
        _mask(_write(tmp_path, [_annotation(1, 3, segmentation)]))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"annotations": [_annotation(1, 4, [])]}, "annotation 1 belongs to image 7 and category 4"),
        ({"annotations": [{**_annotation(1, 3, []), "image_id": 8}]}, "annotation 1 belongs to image 8"),
        ({"images": [{"id": 7}]}, "images/0/file_name"),
        ({"images": []}, "names no frame"),
        ({"categories": [{"id": 1, "name": "a"}, {"id": 2, "name": "a"}]}, "stands twice"),
    ],
)
def test_a_file_that_does_not_hold_together_is_refused(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(DatasetError, match=said):
        read(_write(tmp_path, **{"annotations": [], **changes}), OWN)


def test_what_is_no_coco_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"images": []}')
    with pytest.raises(DatasetError, match="no COCO file of instances"):
        read(tmp_path, OWN)
    (tmp_path / "a.json").write_text("{")
    with pytest.raises(DatasetError, match=r"a\.json is no JSON file"):
        read(tmp_path, OWN)
    (tmp_path / "b.json").write_text("{}")
    with pytest.raises(DatasetError, match=r"holds 2 JSON files.*name one"):
        read(tmp_path, OWN)


def test_what_is_written_is_read_by_pycocotools_and_by_us(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dataset = Dataset(write_squares(tmp_path) / "squares")
    path = write_coco(dataset, dataset.root / "annotations.json")
    oracle = COCO(str(path))
    for image_id, sample in enumerate(dataset.split("all"), start=1):
        drawn = np.zeros((sample.height, sample.width), np.uint8)
        for annotation in oracle.loadAnns(oracle.getAnnIds(imgIds=image_id)):
            drawn[oracle.annToMask(annotation) > 0] = annotation["category_id"]
            assert annotation["area"] == oracle.annToMask(annotation).sum()
        np.testing.assert_array_equal(drawn, dataset.mask(sample))
    again = write_dataset(read(path, OWN), tmp_path / "again")
    assert again.index.classes == dataset.index.classes
    for ours, theirs in zip(again.split("all"), dataset.split("all"), strict=True):
        np.testing.assert_array_equal(again.mask(ours), dataset.mask(theirs))
        np.testing.assert_array_equal(again.image(ours), dataset.image(theirs))


def test_frames_are_written_in_the_order_asked_for(tmp_path: Path) -> None:
    dataset = Dataset(write_squares(tmp_path) / "squares")
    path = write_coco(dataset, tmp_path / "some.json", order=["f05", "f01"])
    assert [image["file_name"] for image in json.loads(path.read_text())["images"]] == ["f05.png", "f01.png"]
    with pytest.raises(DatasetError, match="no sample 'f99'"):
        write_coco(dataset, path, order=["f99"])
