"""Which of the media types that we can make a caller likes best (RFC 9110, section 12.5.1)."""

from dataclasses import dataclass
from functools import lru_cache


@dataclass(frozen=True, slots=True)
class _Range:
    type: str
    subtype: str
    quality: float

    def fits(self, media_type: str) -> bool:
        main, sub = media_type.split("/")
        return self.type in {"*", main} and self.subtype in {"*", sub}

    @property
    def specificity(self) -> int:
        return (self.type != "*") + (self.subtype != "*")


@lru_cache(maxsize=64)
def choose(accept: str | None, offered: tuple[str, ...]) -> str | None:
    """The offered type with the highest quality, the earlier one when equal; None when none is acceptable.

    A header that is missing, empty or holds nothing readable accepts everything.
    """
    ranges = [found for text in (accept or "").split(",") if (found := _parse(text)) is not None]
    if not ranges:
        return offered[0]
    best = max(offered, key=lambda media_type: _quality(ranges, media_type))
    return best if _quality(ranges, best) > 0 else None


def _quality(ranges: list[_Range], media_type: str) -> float:
    """Quality of the most specific range that fits, 0 when none does."""
    fitting = [entry for entry in ranges if entry.fits(media_type)]
    return max(fitting, key=lambda entry: (entry.specificity, entry.quality)).quality if fitting else 0.0


def _parse(text: str) -> _Range | None:
    media_range, *parameters = (part.strip().lower() for part in text.split(";"))
    main, slash, sub = media_range.partition("/")
    if not slash or not main or not sub or (main == "*" and sub != "*"):
        return None
    return _Range(main, sub, next((_weight(part[2:]) for part in parameters if part.startswith("q=")), 1.0))


def _weight(text: str) -> float:
    try:
        weight = float(text)
    except ValueError:
        return 0.0
    return min(1.0, weight) if weight > 0 else 0.0
