"""Numbers and tables as the report writes them; a dash where there is no number."""


def percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.1f}%"  # noqa: RUF001


def number(value: float | None, decimals: int = 3) -> str:
    return "–" if value is None else f"{value:,.{decimals}f}"  # noqa: RUF001


def duration(seconds: float) -> str:
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(int(minutes), 60)
    if hours:
        return f"{hours}:{minutes:02d}:{int(rest):02d} h"
    return f"{minutes}:{int(rest):02d} min" if minutes else f"{rest:.1f} s"


def table(head: str, rows: str) -> str:
    """Of cells of a head and whole rows, in HTML; it scrolls where the screen is narrower."""
    return f'<div class="table"><table><tr>{head}</tr>{rows}</table></div>'
