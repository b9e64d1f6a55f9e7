"""The query of a frame's request."""

import pytest
from fastapi.exceptions import RequestValidationError

from service.routes.frames_query import SegmentQuery, document_query, read_query


def test_an_empty_query_takes_the_defaults() -> None:
    assert read_query(b"") == SegmentQuery()


def test_the_last_value_of_a_parameter_counts() -> None:
    assert read_query(b"threshold=0.2&mask=png&threshold=0.7") == SegmentQuery(threshold=0.7, mask="png")


def test_a_query_is_read_once() -> None:
    assert read_query(b"version=3&size=model") is read_query(b"version=3&size=model")


def test_a_wrong_value_says_where_it_stands_each_time() -> None:
    for _ in range(2):
        with pytest.raises(RequestValidationError) as caught:
            read_query(b"treshold=0.5&version=x")
        assert {entry["loc"] for entry in caught.value.errors()} == {("query", "treshold"), ("query", "version")}


def test_every_parameter_is_documented() -> None:
    documented = document_query()
    assert [entry["name"] for entry in documented] == list(SegmentQuery.model_fields)
    assert all(entry["description"] for entry in documented)
    assert [entry["name"] for entry in documented if "default" in entry["schema"]] == ["mask", "size"]
