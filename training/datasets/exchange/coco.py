"""COCO's instances JSON (https://cocodataset.org/#format-data): reader and writer.

Segmentations are polygons or run lengths, compressed or not. Where annotations overlap, crowds lie undermost, then the
annotations in the order of the file: the later is on top.
"""

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from pycocotools import mask as coco_mask
from pydantic import BaseModel, TypeAdapter, ValidationError

from training.datasets.exchange.labels import Colour, is_background, number_classes
from training.datasets.exchange.order import pick_samples
from training.datasets.exchange.own import Entry, Own, to_source
from training.datasets.exchange.pictures import Pictures
from training.datasets.exchange.shapes import U8, Boxes, box_corners, components, decode_coco_rle, fill_polygons, paint
from training.datasets.index import ClassInfo, Sample
from training.datasets.reading import Dataset
from training.datasets.source import SourceDataset
from training.errors import DatasetError

Model = TypeVar("Model", bound=BaseModel)


class Image(BaseModel):
    id: int | str
    file_name: str
    height: int
    width: int


class Category(BaseModel):
    id: int
    name: str
    color: Colour | None = None


class Annotation(BaseModel):
    id: int | str = "?"
    image_id: int | str
    category_id: int
    segmentation: list[list[float]] | dict[str, Any] | None = None
    bbox: tuple[float, float, float, float] | None = None
    iscrowd: int = 0


def read(source: Path, own: Own, *, images: str = "", boxes: Boxes = "refuse") -> SourceDataset:
    """`source` is the JSON file, or a folder that holds one (`annotations/instances_*.json` of CVAT and others).

    Category ids stay as class ids where they lie in 1 to 255, else they are numbered in their order. A picture without
    annotations is a frame without the classes.
    """
    path = source if source.is_file() else _find_json(source)
    content = _load(path)
    classes, ids = _classes(_parse(content, "categories", Category, path))
    annotations = _by_image(content, path, ids)
    pictures = Pictures(images, [path.parent / "images", path.parent.parent / "images", path.parent])
    entries = [
        Entry(
            image.file_name,
            pictures.find(image.file_name),
            partial(_draw, image, annotations.get(image.id, []), ids, boxes, f"{path.name}: {image.file_name}"),
        )
        for image in _parse(content, "images", Image, path)
    ]
    return to_source(own, path, classes, entries)


def write_coco(dataset: Dataset, path: Path, order: Sequence[str] | None = None) -> Path:
    """Every connected part of a class becomes an annotation with compressed run lengths.

    `order` (sample ids) chooses and sorts the frames; `file_name` is the name below the data set's `images` folder.
    """
    samples = pick_samples(dataset, order)
    classes = [entry for entry in dataset.index.classes if entry.id > 0]
    annotations: list[dict[str, Any]] = []
    for image_id, sample in enumerate(samples, start=1):
        for found in _annotate(dataset.mask(sample), classes):
            annotations.append({"id": len(annotations) + 1, "image_id": image_id, **found})
    content = {
        "info": {"description": dataset.index.name, "version": "1.0"},
        "licenses": [],
        "categories": [{"id": c.id, "name": c.name, "supercategory": "", "color": list(c.colour)} for c in classes],
        "images": [_describe(image_id, sample) for image_id, sample in enumerate(samples, start=1)],
        "annotations": annotations,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return path


def _describe(image_id: int, sample: Sample) -> dict[str, Any]:
    return {
        "id": image_id,
        "file_name": Path(sample.image).name,
        "width": sample.width,
        "height": sample.height,
    }


def _annotate(labels: U8, classes: Sequence[ClassInfo]) -> Iterator[dict[str, Any]]:
    for entry in classes:
        for part, (left, top, width, height) in components(labels, entry.id):
            whole = np.zeros(labels.shape, np.uint8, order="F")
            whole[top : top + height, left : left + width] = part
            rle = coco_mask.encode(whole)
            yield {
                "category_id": entry.id,
                "segmentation": {"size": [int(v) for v in rle["size"]], "counts": rle["counts"].decode()},
                "area": int(part.sum()),
                "bbox": [left, top, width, height],
                "iscrowd": 0,
            }


def _find_json(folder: Path) -> Path:
    found = sorted(folder.glob("*.json")) or sorted(folder.glob("annotations/*.json"))
    if len(found) != 1:
        raise DatasetError(f"{folder} holds {len(found)} JSON files ({[p.name for p in found[:5]]}); name one")
    return found[0]


def _load(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text())
    except ValueError as error:
        raise DatasetError(f"{path} is no JSON file: {error}") from error
    if not isinstance(content, dict) or not {"images", "annotations", "categories"} <= set(content):
        raise DatasetError(f"{path} is no COCO file of instances: it lacks images, annotations or categories")
    return content


def _parse(content: dict[str, Any], key: str, model: type[Model], path: Path) -> list[Model]:
    try:
        return TypeAdapter(list[model]).validate_python(content[key])  # type: ignore[valid-type]
    except ValidationError as error:
        first = error.errors()[0]
        where = "/".join(str(step) for step in (key, *first["loc"]))
        raise DatasetError(f"{path}: {where}: {first['msg']}") from error


def _classes(categories: list[Category]) -> tuple[list[ClassInfo], dict[int, int]]:
    """The classes, and category id -> class id."""
    ordered = sorted(categories, key=lambda category: category.id)
    foreground = [category for category in ordered if not is_background(category.name)]
    kept = {c.name: c.id for c in foreground} if all(1 <= c.id <= 255 for c in foreground) else None
    colours = {c.name: c.color for c in ordered if c.color is not None}
    classes = number_classes([c.name for c in ordered], kept, colours)
    by_name = {entry.name: entry.id for entry in classes}
    return classes, {c.id: by_name.get(c.name, 0) for c in ordered}


def _by_image(content: dict[str, Any], path: Path, ids: dict[int, int]) -> dict[int | str, list[Annotation]]:
    known = {image.id for image in _parse(content, "images", Image, path)}
    grouped: dict[int | str, list[Annotation]] = defaultdict(list)
    for annotation in _parse(content, "annotations", Annotation, path):
        if annotation.image_id not in known or annotation.category_id not in ids:
            raise DatasetError(
                f"{path}: annotation {annotation.id} belongs to image {annotation.image_id} and category "
                f"{annotation.category_id}; one of them is not in the file"
            )
        grouped[annotation.image_id].append(annotation)
    return grouped


def _draw(image: Image, annotations: list[Annotation], ids: dict[int, int], boxes: Boxes, origin: str) -> U8:
    ordered = sorted(annotations, key=lambda annotation: -annotation.iscrowd)
    drawn = ((ids[a.category_id], _shape(a, image, boxes, origin)) for a in ordered)
    return paint(image.height, image.width, ((number, shape) for number, shape in drawn if shape is not None))


def _shape(annotation: Annotation, image: Image, boxes: Boxes, origin: str) -> U8 | None:
    """0/1 uint8 [H, W]; None for a box that is skipped."""
    where = f"{origin}, annotation {annotation.id},"
    found = annotation.segmentation
    if isinstance(found, dict):
        return decode_coco_rle(found, image.height, image.width, where)
    if found:
        polygons = [list(zip(flat[::2], flat[1::2], strict=False)) for flat in found]
        return fill_polygons(polygons, image.height, image.width, where)
    if boxes == "refuse" or (boxes == "fill" and annotation.bbox is None):
        raise DatasetError(
            f"{where} has no segmentation; --option boxes=fill takes its box for one, boxes=skip leaves it out"
        )
    if boxes == "skip" or annotation.bbox is None:
        return None
    left, top, width, height = annotation.bbox
    return fill_polygons([box_corners(left, top, left + width, top + height)], image.height, image.width, where)
