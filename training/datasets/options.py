"""Options of a reader: its keyword arguments, read from the text of `--option key=value`.

A reader declares an option as a keyword argument with a type and a default; `Annotated` bounds hold too.
"""

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, get_type_hints

from pydantic import Field, TypeAdapter, ValidationError

from training.datasets.source import SourceDataset
from training.errors import DatasetError

Reader = Callable[..., SourceDataset]
"""`read(source: Path, *, option: type = default, ...)`; a reader without `source` needs no files."""

Count = Annotated[int, Field(ge=0)]
Seed = Annotated[int, Field(ge=0)]

SOURCE = "source"
OWN = "own"
"""What the command itself says of own annotations (`training.datasets.exchange.own`): no option."""


def takes_source(reader: Reader) -> bool:
    return SOURCE in inspect.signature(reader).parameters


def needs_source(reader: Reader) -> bool:
    """Whether it cannot do without files; the generator of out-of-body frames takes a folder where one is given."""
    given = inspect.signature(reader).parameters.get(SOURCE)
    return given is not None and given.default is inspect.Parameter.empty


def option_names(reader: Reader) -> list[str]:
    return [name for name in inspect.signature(reader).parameters if name not in (SOURCE, OWN)]


def parse_pairs(pairs: Iterable[str]) -> dict[str, str]:
    """`key=value` texts -> mapping; raises DatasetError for one without `=` and for a key given twice."""
    found: dict[str, str] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise DatasetError(f"option {pair!r} is not of the form key=value")
        if key in found:
            raise DatasetError(f"option {key} is given twice: {found[key]} and {value}")
        found[key] = value
    return found


def parse_options(reader: Reader, given: Mapping[str, str]) -> dict[str, Any]:
    """Texts -> typed keyword arguments. Raises DatasetError for an unknown name (with the list) or a bad value."""
    known = option_names(reader)
    unknown = sorted(set(given) - set(known))
    if unknown:
        raise DatasetError(f"no option is called {unknown[0]!r} here; there are: {', '.join(known) or 'none'}")
    hints = get_type_hints(reader, include_extras=True)
    return {name: _parse(name, text, hints[name]) for name, text in given.items()}


def _parse(name: str, text: str, hint: Any) -> Any:
    try:
        return TypeAdapter(hint).validate_python(text)
    except ValidationError as error:
        raise DatasetError(f"option {name}={text}: {error.errors()[0]['msg']}") from error
