"""RFC 9110, section 12.5.1, on the types that a frame can be answered in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.http.negotiation import choose

OFFERED = ("application/json", "image/png", "image/jpeg")


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (None, "application/json"),
        ("", "application/json"),
        ("*/*", "application/json"),
        ("image/png", "image/png"),
        ("IMAGE/PNG", "image/png"),
        ("image/*", "image/png"),
        ("image/jpeg, image/png;q=0.5", "image/jpeg"),
        ("image/jpeg;q=0.4, image/png;q=0.5", "image/png"),
        ("image/*;q=0.9, image/png;q=0.1", "image/jpeg"),
        ("*/*;q=0.1, image/jpeg", "image/jpeg"),
        ("application/json;q=0, */*", "image/png"),
        ("application/json; charset=utf-8", "application/json"),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8", "application/json"),
        ("text/html", None),
        ("*/*;q=0", None),
        ("image/png;q=0", None),
        ("nonsense", "application/json"),
        ("*/png", "application/json"),
        ("image/png;q=banana", None),
        ("image/png;q=nan", None),
    ],
)
def test_the_best_liked_type_is_chosen(accept: str | None, expected: str | None) -> None:
    assert choose(accept, OFFERED) == expected


@given(st.text(alphabet="aimge/pnjs*;q=.,019 -\"'", max_size=60))
def test_any_header_gives_one_of_ours_or_none(accept: str) -> None:
    assert choose(accept, OFFERED) in {*OFFERED, None}
