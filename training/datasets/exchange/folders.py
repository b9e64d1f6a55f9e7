"""Plain folders: pictures in one, masks in the other, matched by their names below it without the file suffix.

    images/a.jpg  masks/a.png       (with suffix=_mask: masks/a_mask.png; folders below are kept: images/op1/a.jpg)

Masks are binary (0 and 255), or hold class ids (`classes`), or colours (`colours`).
"""

from collections.abc import Callable, Collection
from functools import partial
from pathlib import Path

from training.datasets.exchange.cvat_masks import read_labelmap
from training.datasets.exchange.labels import number_classes
from training.datasets.exchange.maskfiles import U8, read_binary, read_colours, read_index
from training.datasets.exchange.own import Entry, Own, to_source
from training.datasets.exchange.pictures import list_pictures
from training.datasets.index import ClassInfo
from training.datasets.source import SourceDataset
from training.errors import DatasetError

_LISTED = 10


def read(
    source: Path,
    own: Own,
    *,
    images: str = "images",
    masks: str = "masks",
    suffix: str = "",
    classes: str = "",
    colours: str = "",
) -> SourceDataset:
    """`images` and `masks` are folders below `source`, or anywhere; `suffix` ends the names of masks.

    `classes=NAME` names the class of binary masks; `classes=NAME,NAME,...` those of the values 1, 2, ...;
    `classes=31=grasper,32=hook` gives the values too. `colours` is a text file of lines `name:red,green,blue`.
    Raises DatasetError for pictures without a mask and masks without a picture, and lists them.
    """
    annotated = _by_stem(source / masks, suffix)
    pictures = _by_stem(source / images, "", without=set(annotated.values()) if suffix else set())
    for what, names in (
        ("pictures without a mask", set(pictures) - set(annotated)),
        ("masks without a picture", set(annotated) - set(pictures)),
    ):
        if names:
            raise DatasetError(f"{source} has {len(names)} {what}: {', '.join(sorted(names)[:_LISTED])}")
    named, load = _kind(classes, colours)
    entries = [
        Entry(path.relative_to(source / images).as_posix(), path, partial(load, annotated[stem]))
        for stem, path in sorted(pictures.items())
    ]
    return to_source(own, source, named, entries)


def _by_stem(folder: Path, suffix: str, without: Collection[Path] = ()) -> dict[str, Path]:
    """Name below `folder` without file suffix and `suffix` -> picture; masks in the same folder are left out."""
    if not folder.is_dir():
        raise DatasetError(f"{folder} is no folder")
    found: dict[str, Path] = {}
    for path in list_pictures(folder):
        if path in without or not path.stem.endswith(suffix):
            continue
        name = path.relative_to(folder).with_name(path.stem.removesuffix(suffix)).as_posix()
        if name in found:
            raise DatasetError(f"{found[name]} and {path} have one name; which is meant?")
        found[name] = path
    return found


def _kind(classes: str, colours: str) -> tuple[list[ClassInfo], Callable[[Path], U8]]:
    """The classes, and what reads a mask of this kind."""
    if colours:
        table = read_labelmap(Path(colours))
        named = number_classes(list(table), None, table)
        ids = {entry.name: entry.id for entry in named}
        return named, partial(read_colours, table={colour: ids.get(name, 0) for name, colour in table.items()})
    names = [name.strip() for name in classes.split(",") if name.strip()] or ["foreground"]
    if len(names) == 1 and "=" not in names[0]:
        return number_classes(names), read_binary
    values = dict(_value(name, i) for i, name in enumerate(names, start=1))
    named = number_classes(list(values), {name: value for name, value in values.items() if value})
    return named, partial(read_index, known={0, *(entry.id for entry in named)})


def _value(text: str, place: int) -> tuple[str, int]:
    """`hook` -> (hook, its place); `32=hook` -> (hook, 32)."""
    value, sign, name = text.partition("=")
    if not sign:
        return text, place
    if not value.strip().isdigit():
        raise DatasetError(f"classes: {text!r} is neither NAME nor VALUE=NAME")
    return name.strip(), int(value)
