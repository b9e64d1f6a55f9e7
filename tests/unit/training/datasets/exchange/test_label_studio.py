"""Label Studio's JSON export: brush run lengths as its own converter writes them, shapes in percent."""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from pycocotools import mask as coco_mask

from training.datasets.exchange.brush import decode_brush
from training.datasets.exchange.label_studio import read
from training.datasets.exchange.own import Own
from training.datasets.writing import write_dataset
from training.errors import DatasetError

OWN = Own("mine", "none", None)
HEIGHT, WIDTH = 5, 6

RING = [0, 0, 0, 120, 57, 27, 254, 31, 0, 183, 255, 108, 2, 63, 248, 192, 35, 255, 182, 1, 111, 255, 13, 128, 0]
"""`mask2rle` of label_studio_sdk.converter.brush (2.1.2) for a 3x3 ring of 255 in 5x6."""


def _ring() -> np.ndarray:
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[1:4, 2:5] = 1
    mask[2, 3] = 0
    return mask


def _region(kind: str, label: str = "tip", **value: Any) -> dict[str, Any]:
    size = {"original_width": WIDTH, "original_height": HEIGHT, "image_rotation": 0}
    tags = {"from_name": "tag", "to_name": "image", "origin": "manual", "id": "a1"}
    return {**size, **tags, "type": kind, "value": {**value, kind: [label]}}


def _brush(label: str = "tip") -> dict[str, Any]:
    return _region("brushlabels", label, format="rle", rle=RING)


def _write(folder: Path, *results: dict[str, Any], link: str = "/data/upload/3/0a1b2c3d-a.png", **task: Any) -> Path:
    (folder / "images").mkdir(exist_ok=True)
    cv2.imwrite(str(folder / "images" / "a.png"), np.full((HEIGHT, WIDTH, 3), 90, np.uint8))
    annotations = [{"id": 1, "was_cancelled": False, "ground_truth": False, "result": list(results)}]
    path = folder / "export.json"
    path.write_text(json.dumps([{"id": 1, "data": {"image": link}, "annotations": annotations, **task}]))
    return path


def _draw(path: Path, **options: str) -> np.ndarray:
    (frame,) = read(path, OWN, **options).frames
    return frame.load_mask()


def test_a_brush_is_decoded_as_label_studio_wrote_it(tmp_path: Path) -> None:
    np.testing.assert_array_equal(_draw(_write(tmp_path, _brush())), _ring())


def test_single_values_that_follow_one_another_are_decoded() -> None:
    """The browser's encoder packs unlike neighbours into one block, which the Python one never does."""
    alphas = [0, 9, 255, 1, 0, 0]
    head = f"{4 * len(alphas):032b}" + f"{7:05b}" + "".join(f"{width - 1:04b}" for width in (3, 4, 8, 16))
    values = [value for alpha in alphas for value in (7, 7, 7, alpha)]
    block = "0" + "10" + f"{len(values) - 1:08b}" + "".join(f"{value:08b}" for value in values)
    bits = head + block
    data = [int(bits[i : i + 8].ljust(8, "0"), 2) for i in range(0, len(bits), 8)]
    assert decode_brush(data, 2, 3, "a").tolist() == [[0, 1, 1], [1, 0, 0]]


@pytest.mark.parametrize(
    ("rle", "said"),
    [
        (RING[:12], "end too early"),
        ([], "end too early"),
        ([0, 0, 0, 116, *RING[4:]], "a brush mask of 29 pixels; 6x5 was said"),
        ([300, *RING[1:]], "end too early or hold no bytes"),
    ],
)
def test_a_damaged_brush_is_named(tmp_path: Path, rle: list[int], said: str) -> None:
    path = _write(tmp_path, _region("brushlabels", format="rle", rle=rle))
    with pytest.raises(DatasetError, match=rf"export\.json: a\.png has .*{said}"):
        _draw(path)


def test_points_are_percent_of_the_picture(tmp_path: Path) -> None:
    path = _write(tmp_path, _region("polygonlabels", points=[[10, 10], [90, 20], [50, 95]], closed=True))
    pixels = [0.6, 0.5, 5.4, 1.0, 3.0, 4.75]
    expected = coco_mask.decode(coco_mask.frPyObjects([pixels], HEIGHT, WIDTH))[..., 0]
    np.testing.assert_array_equal(_draw(path), expected)


def test_the_later_region_is_on_top_and_classes_sort_by_name(tmp_path: Path) -> None:
    whole = {"points": [[0, 0], [100, 0], [100, 100], [0, 100]]}
    path = _write(tmp_path, _region("polygonlabels", "tip", **whole), _brush("shaft"))
    assert [c.name for c in read(path, OWN).classes] == ["background", "shaft", "tip"]
    np.testing.assert_array_equal(_draw(path), 2 - _ring())


def test_rectangles_turn_around_their_corner_and_are_refused_by_default(tmp_path: Path) -> None:
    box = {"x": 100 * 3 / WIDTH, "y": 0, "width": 100 * 4 / WIDTH, "height": 100 * 2 / HEIGHT, "rotation": 90}
    path = _write(tmp_path, _region("rectanglelabels", **box))
    with pytest.raises(DatasetError, match=r"a\.png has a rectangle; --option boxes=fill"):
        _draw(path)
    drawn = _draw(path, boxes="fill")
    assert drawn.sum() == drawn[0:4, 1:3].sum() == 8
    assert not _draw(path, boxes="skip").any()


def test_an_ellipse_covers_its_area(tmp_path: Path) -> None:
    path = _write(tmp_path, _region("ellipselabels", x=50, y=50, radiusX=50, radiusY=50, rotation=0))
    assert _draw(path).sum() == pytest.approx(np.pi * 7.5, abs=4)


def test_the_last_annotation_counts_unless_it_was_cancelled_or_another_is_the_truth(tmp_path: Path) -> None:
    def annotations(*kinds: dict[str, bool]) -> list[dict[str, Any]]:
        results = [[], [_brush()]]
        return [{"result": result, **kind} for result, kind in zip(results, kinds, strict=True)]

    assert _draw(_write(tmp_path, annotations=annotations({}, {}))).any()
    assert not _draw(_write(tmp_path, annotations=annotations({}, {"was_cancelled": True}))).any()
    assert not _draw(_write(tmp_path, annotations=annotations({"ground_truth": True}, {}))).any()


def test_a_task_that_nobody_annotated_is_left_out(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="names no frame"):
        read(_write(tmp_path, annotations=[]), OWN)


def test_what_covers_no_pixels_is_passed_over(tmp_path: Path) -> None:
    choice = {"type": "choices", "value": {"choices": ["clean"]}, "from_name": "q", "to_name": "image"}
    np.testing.assert_array_equal(_draw(_write(tmp_path, choice, _brush())), _ring())


@pytest.mark.parametrize(
    ("link", "name"),
    [
        ("/data/upload/3/0a1b2c3d-a.png", "a.png"),
        ("/data/local-files/?d=op1/a.png", "op1/a.png"),
        ("s3://bucket/op1/a.png", "op1/a.png"),
        ("http://host/op%201/a.png", "op 1/a.png"),
    ],
)
def test_pictures_are_found_by_what_label_studio_calls_them(tmp_path: Path, link: str, name: str) -> None:
    (frame,) = read(_write(tmp_path, _brush(), link=link), OWN).frames
    assert frame.image == tmp_path / "images" / "a.png"
    assert frame.id == name.removesuffix(".png").replace("/", "_")


def test_two_pictures_in_a_task_need_a_choice(tmp_path: Path) -> None:
    path = _write(tmp_path, _brush(), data={"image": "a.png", "before": "b.png"})
    with pytest.raises(DatasetError, match=r"task 1 names 2 pictures .* --option key=FIELD"):
        read(path, OWN)
    np.testing.assert_array_equal(_draw(path, key="image"), _ring())


def test_a_turned_picture_and_the_short_export_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="turned by 90 degrees"):
        _draw(_write(tmp_path, {**_brush(), "image_rotation": 90}))
    path = tmp_path / "export.json"
    path.write_text(json.dumps([{"id": 1, "image": "a.png", "tag": []}]))
    with pytest.raises(DatasetError, match=r"no JSON export of Label Studio \(JSON-MIN is none\): 0/data"):
        read(path, OWN)


def test_an_export_becomes_a_data_set(tmp_path: Path) -> None:
    dataset = write_dataset(read(_write(tmp_path, _brush()), OWN), tmp_path / "out")
    (sample,) = dataset.split("all")
    np.testing.assert_array_equal(dataset.mask(sample), _ring())


def test_a_shape_without_its_points_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"a\.png has a polygonlabels without what draws it: 'points'"):
        _draw(_write(tmp_path, _region("polygonlabels", "tip")))
