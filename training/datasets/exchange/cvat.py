"""CVAT for images 1.1 (https://docs.cvat.ai/docs/other/xml_format): reader and writer; and which CVAT export this is.

Shapes are drawn by rising z_order, equal ones in the order of the file: the later is on top. A mask's run lengths go
row by row through its own box and begin with a run that is not part of it.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import accumulate
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np

from training.datasets.exchange import cvat_masks
from training.datasets.exchange.labels import Colour, find_label, label_ids, number_classes
from training.datasets.exchange.order import pick_samples
from training.datasets.exchange.own import Entry, Own, to_source
from training.datasets.exchange.pictures import Pictures
from training.datasets.exchange.shapes import (
    U8,
    Boxes,
    Point,
    box_corners,
    components,
    ellipse_points,
    fill_polygons,
    paint,
)
from training.datasets.reading import Dataset
from training.datasets.source import SourceDataset
from training.errors import DatasetError

XML_NAME = "annotations.xml"


def read(source: Path, own: Own, *, images: str = "", boxes: Boxes = "refuse") -> SourceDataset:
    """`source` is the XML file, or an unpacked export: "CVAT for images 1.1" or "Segmentation mask 1.1"."""
    if source.is_dir() and not (source / XML_NAME).is_file():
        return cvat_masks.read(source, own, images)
    path = source if source.is_file() else source / XML_NAME
    root = _parse(path)
    classes = number_classes(*_labels(root))
    pictures = Pictures(images, [path.parent / "images", path.parent])
    entries = [
        Entry(
            _attribute(image, "name", str(path)),
            pictures.find(_attribute(image, "name", str(path))),
            partial(_draw, image, label_ids(classes), boxes, f"{path.name}: {image.get('name')}"),
        )
        for image in root.iter("image")
    ]
    return to_source(own, path, classes, entries)


def write_cvat(dataset: Dataset, path: Path, order: Sequence[str] | None = None) -> Path:
    """Every connected part of a class becomes a mask, as CVAT's task with the same pictures imports it.

    `order` (sample ids) chooses and sorts the frames; `name` is the name below the data set's `images` folder.
    """
    root = ET.Element("annotations")
    ET.SubElement(root, "version").text = "1.1"
    task = ET.SubElement(ET.SubElement(root, "meta"), "task")
    samples = pick_samples(dataset, order)
    for tag, text in (("name", dataset.index.name), ("size", str(len(samples))), ("mode", "annotation")):
        ET.SubElement(task, tag).text = text
    labels = ET.SubElement(task, "labels")
    classes = [entry for entry in dataset.index.classes if entry.id > 0]
    for entry in classes:
        label = ET.SubElement(labels, "label")
        for tag, text in (
            ("name", entry.name),
            ("color", "#{:02x}{:02x}{:02x}".format(*entry.colour)),
            ("type", "mask"),
        ):
            ET.SubElement(label, tag).text = text
    for number, sample in enumerate(samples):
        size = {"width": str(sample.width), "height": str(sample.height)}
        image = ET.SubElement(root, "image", {"id": str(number), "name": Path(sample.image).name, **size})
        mask = dataset.mask(sample)
        image.extend(_mask(entry.name, part, box) for entry in classes for part, box in components(mask, entry.id))
    ET.indent(root)
    path.parent.mkdir(parents=True, exist_ok=True)
    ET.ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)
    return path


def encode_runs(part: U8) -> list[int]:
    """0/1 uint8 [h, w] -> lengths of the runs row by row, a run of zeros first (of length 0 where a one begins)."""
    flat = part.ravel()
    edges = np.flatnonzero(np.diff(flat)) + 1
    runs = np.diff(np.concatenate(([0], edges, [flat.size]))).tolist()
    return [0, *runs] if flat[0] else runs


def _mask(label: str, part: U8, box: tuple[int, int, int, int]) -> ET.Element:
    numbers = dict(zip(("left", "top", "width", "height"), map(str, box), strict=True))
    runs = ", ".join(map(str, encode_runs(part)))
    return ET.Element(
        "mask", {"label": label, "source": "auto", "occluded": "0", "rle": runs, **numbers, "z_order": "0"}
    )


def _parse(path: Path) -> ET.Element:
    try:
        root = ET.parse(path).getroot()  # noqa: S314 - expat bounds the growth of entities by itself
    except (OSError, ET.ParseError) as error:
        raise DatasetError(f"{path} is missing or no XML: {error}") from error
    if root.tag != "annotations":
        raise DatasetError(f"{path} is no CVAT export: its root is <{root.tag}>, not <annotations>")
    if root.find("track") is not None:
        raise DatasetError(f"{path} is a 'CVAT for video' export (tracks); export it as 'CVAT for images 1.1'")
    return root


def _labels(root: ET.Element) -> tuple[list[str], None, dict[str, Colour]]:
    """Names as <meta> lists them, else as the shapes use them; and colours where they are given."""
    listed = [label for label in root.iterfind("meta//labels/label") if label.findtext("parent") is None]
    names = [label.findtext("name", "") for label in listed]
    used = [label for shape in root.iterfind("image/*") if shape.tag != "tag" and (label := shape.get("label"))]
    colours = {label.findtext("name", ""): label.findtext("color", "") for label in listed}
    return (
        names or list(dict.fromkeys(used)),
        None,
        {name: _hex(text) for name, text in colours.items() if len(text) == 7 and text[0] == "#"},
    )


def _hex(text: str) -> Colour:
    value = int(text[1:], 16)
    return value >> 16, value >> 8 & 255, value & 255


def _draw(image: ET.Element, ids: dict[str, int], boxes: Boxes, origin: str) -> U8:
    height, width = (int(_attribute(image, side, origin)) for side in ("height", "width"))
    shapes = sorted((s for s in image if s.tag != "tag"), key=lambda shape: int(shape.get("z_order", "0")))
    return paint(height, width, _shapes(shapes, ids, (height, width), boxes, origin))


def _shapes(
    shapes: list[ET.Element], ids: dict[str, int], size: tuple[int, int], boxes: Boxes, origin: str
) -> Iterator[tuple[int, U8]]:
    for shape in shapes:
        if shape.tag == "box" and boxes == "skip":
            continue
        class_id = find_label(ids, _attribute(shape, "label", origin), origin)
        if shape.tag == "mask":
            yield class_id, _decode_mask(shape, size, origin)
        else:
            yield class_id, fill_polygons([_outline(shape, boxes, origin)], *size, origin)


def _outline(shape: ET.Element, boxes: Boxes, origin: str) -> list[Point]:
    turned = float(shape.get("rotation", "0"))
    match shape.tag:
        case "polygon":
            points = [point.split(",") for point in _attribute(shape, "points", origin).split(";")]
            return [(float(x), float(y)) for x, y in points]
        case "box" if boxes == "fill":
            left, top, right, bottom = (float(_attribute(shape, key, origin)) for key in ("xtl", "ytl", "xbr", "ybr"))
            return box_corners(left, top, right, bottom, turned)
        case "ellipse":
            x, y, across, down = (float(_attribute(shape, key, origin)) for key in ("cx", "cy", "rx", "ry"))
            return ellipse_points(x, y, across, down, turned)
        case "box":
            raise DatasetError(f"{origin} has a box; --option boxes=fill takes it for a mask, boxes=skip leaves it out")
    raise DatasetError(f"{origin} has a <{shape.tag}>, which covers no pixels; masks, polygons, ellipses and boxes do")


def _decode_mask(shape: ET.Element, size: tuple[int, int], origin: str) -> U8:
    left, top, width, height = (int(_attribute(shape, key, origin)) for key in ("left", "top", "width", "height"))
    runs = [int(run) for run in _attribute(shape, "rle", origin).split(",")]
    inside = left >= 0 and top >= 0 and left + width <= size[1] and top + height <= size[0]
    if not inside or min(runs) < 0 or sum(runs) > width * height:
        raise DatasetError(
            f"{origin} has a mask of {sum(runs)} pixels in {width}x{height} at {left},{top}: it does not fit"
        )
    part = np.zeros(width * height, np.uint8)
    ends = list(accumulate(runs))
    for start, end in zip(ends[::2], ends[1::2], strict=False):
        part[start:end] = 1
    whole = np.zeros(size, np.uint8)
    whole[top : top + height, left : left + width] = part.reshape(height, width)
    return whole


def _attribute(element: ET.Element, key: str, origin: str) -> str:
    value = element.get(key)
    if value is None:
        raise DatasetError(f"{origin} has a <{element.tag}> without {key!r}")
    return value
