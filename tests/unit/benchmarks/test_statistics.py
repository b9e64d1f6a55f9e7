"""What measurements are reduced to, and in which order they are taken."""

import statistics

import numpy as np
import pytest

from benchmarks.statistics import latency, ratio, spread, turns


def test_percentiles_are_those_of_a_known_distribution() -> None:
    assert latency([float(value) for value in range(101)]) == {"p50": 50.0, "p95": 95.0, "p99": 99.0}


def test_percentiles_agree_with_the_standard_library() -> None:
    values = np.random.default_rng(3).lognormal(2, 0.5, 500).tolist()
    cuts = statistics.quantiles(values, n=100, method="inclusive")
    found = latency(values)
    assert [found["p50"], found["p95"], found["p99"]] == pytest.approx([cuts[49], cuts[94], cuts[98]], abs=1e-3)


def test_without_a_value_there_is_nothing_to_say() -> None:
    assert latency([]) == {}
    assert spread([]) == {}
    assert ratio([], [1.0]) is None


def test_spread_is_median_lowest_and_highest() -> None:
    assert spread([3.0, 1.0, 2.0]) == {"median": 2.0, "low": 1.0, "high": 3.0}


def test_a_ratio_is_taken_within_each_round_before_the_median() -> None:
    """The machine was three times as fast in the second round; both were, so the ratio stands."""
    assert ratio([10.0, 30.0, 10.0], [5.0, 15.0, 5.0]) == 2.0
    assert ratio([1.0, 9.0, 4.0], [1.0, 3.0, 2.0]) == 2.0


def test_a_round_without_the_other_side_is_left_out_of_a_ratio() -> None:
    assert ratio([10.0, 30.0], [5.0]) == 2.0
    assert ratio([10.0, 30.0], [0.0, 15.0]) == 2.0


def test_every_contender_takes_a_turn_in_every_round() -> None:
    for number in range(8):
        assert sorted(turns("abc", number)) == ["a", "b", "c"]


def test_a_round_is_followed_by_itself_backwards_and_the_next_pair_begins_elsewhere() -> None:
    assert [turns("abc", number) for number in range(4)] == [
        ["a", "b", "c"],
        ["c", "b", "a"],
        ["b", "c", "a"],
        ["a", "c", "b"],
    ]


def test_on_the_whole_nobody_is_always_early() -> None:
    """Over all pairs of rounds the places of each contender have the same mean."""
    places = {name: [turns("abcd", number).index(name) for number in range(8)] for name in "abcd"}
    assert {sum(of_one) for of_one in places.values()} == {12}


def test_nobody_to_compare_is_no_turn() -> None:
    assert turns([], 3) == []
