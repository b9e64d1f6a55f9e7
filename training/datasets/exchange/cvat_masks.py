"""CVAT's "Segmentation mask 1.1": colour-coded masks in the folders of Pascal VOC.

labelmap.txt (`name:r,g,b:parts:actions`), SegmentationClass/<name>.png, JPEGImages/<name>.* (where images were saved)
"""

from functools import partial
from pathlib import Path

from training.datasets.exchange.labels import Colour, number_classes
from training.datasets.exchange.maskfiles import read_colours
from training.datasets.exchange.own import Entry, Own, to_source
from training.datasets.exchange.pictures import SUFFIXES, Pictures, list_pictures
from training.datasets.source import SourceDataset
from training.errors import DatasetError

LABELMAP = "labelmap.txt"
MASKS = "SegmentationClass"


def read(source: Path, own: Own, images: str) -> SourceDataset:
    """`source` is the unpacked export; without saved images, `images` names their folder."""
    colours = read_labelmap(source / LABELMAP)
    classes = number_classes(list(colours), None, colours)
    ids = {entry.name: entry.id for entry in classes}
    table = {colour: ids.get(name, 0) for name, colour in colours.items()}
    pictures = Pictures(images, [source / "JPEGImages", source / "images", source])
    entries = []
    for mask in list_pictures(source / MASKS):
        stem = mask.relative_to(source / MASKS).with_suffix("").as_posix()
        picture = pictures.find(*(f"{stem}{suffix}" for suffix in (*SUFFIXES, *map(str.upper, SUFFIXES))))
        entries.append(Entry(f"{stem}{picture.suffix}", picture, partial(read_colours, mask, table)))
    return to_source(own, source, classes, entries)


def read_labelmap(path: Path) -> dict[str, Colour]:
    """Lines of `name:r,g,b` (what follows is left out) -> colour of each name. Raises DatasetError with the line."""
    if not path.is_file():
        raise DatasetError(f"{path} is missing: a CVAT export holds annotations.xml, or labelmap.txt beside {MASKS}")
    colours: dict[str, Colour] = {}
    for line in path.read_text().splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        name, _, rest = line.partition(":")
        try:
            red, green, blue = (int(value) for value in rest.partition(":")[0].split(","))
        except ValueError as error:
            raise DatasetError(f"{path} has the line {line!r}; expected name:red,green,blue") from error
        if name in colours or (red, green, blue) in colours.values():
            raise DatasetError(f"{path}: the name or the colour of {line!r} stands twice")
        colours[name] = (red, green, blue)
    return colours
