"""Label Studio's JSON export (not JSON-MIN): brush, polygon, rectangle and ellipse labels.

Points are percent of the picture; the later result is on top. Of a task's annotations the last that was not cancelled
counts, one marked as ground truth before all; a task without any is not annotated and is left out, while an annotation
without a region is a frame without the classes.
"""

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from training.datasets.exchange.brush import decode_brush
from training.datasets.exchange.labels import find_label, label_ids, number_classes
from training.datasets.exchange.own import Entry, Own, to_source
from training.datasets.exchange.pictures import SUFFIXES, Pictures
from training.datasets.exchange.shapes import U8, Boxes, corner_box, ellipse_points, fill_polygons, paint
from training.datasets.picture_files import read_rgb
from training.datasets.source import SourceDataset
from training.errors import DatasetError

_REGIONS = ("brushlabels", "polygonlabels", "rectanglelabels", "ellipselabels")
_HASH_LENGTH = 8


class Result(BaseModel):
    type: str
    value: dict[str, Any] = {}
    original_width: int = 0
    original_height: int = 0
    image_rotation: float = 0


class Annotation(BaseModel):
    result: list[Result]
    was_cancelled: bool = False
    ground_truth: bool = False


class Task(BaseModel):
    id: int | str = "?"
    data: dict[str, Any]
    annotations: list[Annotation] = Field(default_factory=list)

    def chosen(self) -> Annotation | None:
        usable = [annotation for annotation in self.annotations if not annotation.was_cancelled]
        return next((a for a in reversed(usable) if a.ground_truth), usable[-1] if usable else None)


def read(source: Path, own: Own, *, images: str = "", key: str = "", boxes: Boxes = "refuse") -> SourceDataset:
    """`images` is the folder of the pictures; `key` the field of a task's data that names them, if there are several.

    Classes are numbered in the order in which their names sort: the export does not list them.
    """
    path = source if source.is_file() else next(iter(sorted(source.glob("*.json"))), source / "export.json")
    tasks = [(task, chosen) for task in _load(path) if (chosen := task.chosen()) is not None]
    names = {label for _, chosen in tasks for result in chosen.result for label in _labels(result)}
    classes = number_classes(sorted(names))
    ids = label_ids(classes)
    pictures = Pictures(images, [path.parent / "images", path.parent])
    entries = []
    for task, chosen in tasks:
        candidates = _names(task, key, path)
        picture = pictures.find(*candidates)
        draw = partial(_draw, chosen, picture, ids, boxes, f"{path.name}: {candidates[0]}")
        entries.append(Entry(candidates[0], picture, draw))
    return to_source(own, path, classes, entries)


def _load(path: Path) -> list[Task]:
    try:
        return TypeAdapter(list[Task]).validate_json(path.read_bytes())
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = "/".join(map(str, first["loc"]))
        raise DatasetError(
            f"{path} is no JSON export of Label Studio (JSON-MIN is none): {where}: {first['msg']}"
        ) from error


def _names(task: Task, key: str, path: Path) -> list[str]:
    """How the picture may be called: the path, and the name without the hash that an upload puts before it."""
    values = [task.data.get(key)] if key else list(task.data.values())
    links = [value for value in values if isinstance(value, str) and _path_of(value).lower().endswith(SUFFIXES)]
    if len(links) != 1:
        fields = json.dumps(list(task.data))
        raise DatasetError(
            f"{path}: task {task.id} names {len(links)} pictures in {fields}; choose with --option key=FIELD"
        )
    name = _path_of(links[0])
    folder, _, last = name.rpartition("/")
    prefix, dash, plain = last.partition("-")
    hashed = dash and len(prefix) == _HASH_LENGTH and all(letter in "0123456789abcdef" for letter in prefix)
    uploaded = "data/upload/" in name
    return [plain, last] if hashed and uploaded else [last] if uploaded else [name, last] if folder else [name]


def _path_of(link: str) -> str:
    """The path in `/data/upload/3/x.png`, `/data/local-files/?d=op1/x.png`, `s3://bucket/op1/x.png`, `http://...`."""
    split = urlsplit(link)
    chosen = parse_qs(split.query).get("d", [split.path])[0] if "local-files" in split.path else split.path
    return unquote(chosen).lstrip("/")


def _labels(result: Result) -> list[str]:
    """The labels of a region; none for choices, ratings and what else covers no pixels."""
    if result.type not in _REGIONS:
        return []
    return [str(label) for label in result.value.get(result.type) or []]


def _draw(chosen: Annotation, picture: Path, ids: dict[str, int], boxes: Boxes, origin: str) -> U8:
    regions = [result for result in chosen.result if result.type in _REGIONS]
    if regions:
        height, width = regions[0].original_height, regions[0].original_width
    else:
        height, width = read_rgb(picture).shape[:2]
    return paint(height, width, _shapes(regions, ids, (height, width), boxes, origin))


def _shapes(
    regions: list[Result], ids: dict[str, int], size: tuple[int, int], boxes: Boxes, origin: str
) -> Iterator[tuple[int, U8]]:
    for region in regions:
        if region.type == "rectanglelabels" and boxes == "skip":
            continue
        labels = _labels(region)
        if len(labels) != 1 or region.image_rotation % 360:
            raise DatasetError(
                f"{origin} has a region with the labels {labels}, turned by {region.image_rotation:g} degrees"
            )
        yield find_label(ids, labels[0], origin), _shape(region, size, boxes, origin)


def _shape(region: Result, size: tuple[int, int], boxes: Boxes, origin: str) -> U8:
    height, width = size
    value = region.value
    try:
        if region.type == "brushlabels":
            return decode_brush(value["rle"], height, width, origin)
        if region.type == "polygonlabels":
            outline = [(x * width / 100, y * height / 100) for x, y in value["points"]]
            return fill_polygons([outline], height, width, origin)
        turned = float(value.get("rotation", 0))
        left, top = value["x"] * width / 100, value["y"] * height / 100
        if region.type == "ellipselabels":
            radius_x, radius_y = value["radiusX"] * width / 100, value["radiusY"] * height / 100
            return fill_polygons([ellipse_points(left, top, radius_x, radius_y, turned)], height, width, origin)
        if boxes == "refuse":
            raise DatasetError(
                f"{origin} has a rectangle; --option boxes=fill takes it for a mask, boxes=skip leaves it out"
            )
        across, down = value["width"] * width / 100, value["height"] * height / 100
    except (KeyError, TypeError, ValueError) as error:
        raise DatasetError(f"{origin} has a {region.type} without what draws it: {error}") from error
    return fill_polygons([corner_box(left, top, across, down, turned)], height, width, origin)
