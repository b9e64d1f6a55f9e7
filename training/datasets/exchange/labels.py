"""Label names -> classes with ids and colours."""

import colorsys
from collections.abc import Mapping, Sequence

from training.datasets.index import ClassInfo
from training.errors import DatasetError

Colour = tuple[int, int, int]

BACKGROUND = ClassInfo(id=0, name="background", colour=(0, 0, 0))
_BACKGROUND_NAMES = ("background", "_background_", "__background__")
_PALETTE: tuple[Colour, ...] = (
    (64, 160, 255),
    (255, 176, 32),
    (64, 224, 96),
    (232, 72, 160),
    (150, 110, 255),
    (240, 228, 66),
    (0, 158, 155),
    (213, 94, 0),
)


def number_classes(
    names: Sequence[str], ids: Mapping[str, int] | None = None, colours: Mapping[str, Colour] | None = None
) -> list[ClassInfo]:
    """Background first, then `names` with their own `ids`, or 1, 2, ... in their order. A label called background is 0.

    Raises DatasetError for a name or id that stands twice, and for ids beyond 255.
    """
    foreground = [name for name in names if not is_background(name)]
    numbers = dict(ids) if ids is not None else {name: i for i, name in enumerate(foreground, start=1)}
    chosen = [numbers[name] for name in foreground]
    if len(set(foreground)) != len(foreground) or len(set(chosen)) != len(chosen):
        raise DatasetError(f"a label or its id stands twice among {list(zip(foreground, chosen, strict=True))}")
    if any(not 1 <= number <= 255 for number in chosen):
        raise DatasetError(f"class ids lie in 1 to 255; the labels have {sorted(chosen)[:5]} to {max(chosen)}")
    given = colours or {}
    return [BACKGROUND] + [
        ClassInfo(id=numbers[name], name=name, colour=given.get(name, make_colour(i)))
        for i, name in enumerate(foreground)
    ]


def is_background(name: str) -> bool:
    return name.casefold() in _BACKGROUND_NAMES


def label_ids(classes: Sequence[ClassInfo]) -> dict[str, int]:
    """Name -> class id."""
    return {entry.name: entry.id for entry in classes}


def find_label(ids: Mapping[str, int], name: str, origin: str) -> int:
    """The class id of a label; raises DatasetError with `origin` for one that is not declared."""
    if is_background(name):
        return 0
    if name not in ids:
        raise DatasetError(f"{origin} has the label {name!r}; the labels are {', '.join(list(ids)[1:])}")
    return ids[name]


def make_colour(index: int) -> Colour:
    """The n-th class colour: a fixed palette, then hues a golden section apart."""
    if index < len(_PALETTE):
        return _PALETTE[index]
    red, green, blue = colorsys.hsv_to_rgb(index * 0.618034 % 1, 0.65 + 0.35 * (index % 2), 0.95)
    return round(red * 255), round(green * 255), round(blue * 255)
