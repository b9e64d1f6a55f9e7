"""Paths and speeds of parts whose way is known."""

import math
from typing import Any

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from service.video.over_time.motion import Follower, match, summarise_motion

DIAGONAL = 1000.0


def rows_of(*places: list[list[float]], fps: float = 10) -> list[dict[str, Any]]:
    """Rows with centroids of one class, `tip`, followed."""
    follower, rows = Follower(["tip"], DIAGONAL), []
    for number, centroids in enumerate(places):
        row = {"time_s": number / fps, "tip_centroids": centroids, "tip_moved_px": None, "tip_speed_px_s": None}
        follower.complete(row)
        rows.append(row)
    return rows


def column(rows: list[dict[str, Any]], name: str) -> np.ndarray:
    return np.array([np.nan if row[name] is None else row[name] for row in rows], np.float64)


def test_a_tip_on_its_way_has_the_length_and_the_speed_of_the_way() -> None:
    rows = rows_of([[0, 0]], [[30, 40]], [[30, 140]], [[30, 140]])
    assert [row["tip_moved_px"] for row in rows] == [None, 50, 100, 0]
    assert [row["tip_speed_px_s"] for row in rows] == [None, 500, 1000, 0]
    motion = summarise_motion(
        column(rows, "time_s"), column(rows, "tip_moved_px"), column(rows, "tip_speed_px_s"), DIAGONAL
    )
    assert (motion.path_px, motion.path_diagonals, motion.followed_s) == (150.0, 0.15, 0.3)
    assert (motion.speed_px_s.mean, motion.speed_px_s.median, motion.speed_px_s.maximum) == (500, 500, 1000)


def test_two_tips_are_told_apart_though_their_order_changes() -> None:
    rows = rows_of([[100, 100], [400, 400]], [[400, 410], [130, 100]])
    assert (rows[1]["tip_moved_px"], rows[1]["tip_speed_px_s"]) == (40, 200)


def test_a_tip_that_leaves_or_comes_is_not_followed() -> None:
    rows = rows_of([[100, 100], [900, 900]], [[110, 100]], [], [[110, 100]], [[110, 105], [800, 800]])
    assert [row["tip_moved_px"] for row in rows] == [None, 10, None, None, 5]


def test_a_jump_over_a_fifth_of_the_diagonal_is_another_tip() -> None:
    assert match([(0, 0)], [(200, 0)], 200) == [200]
    assert match([(0, 0)], [(201, 0)], 200) == []


def test_nothing_followed_has_no_speed() -> None:
    motion = summarise_motion(np.array([0.0, 1.0]), np.full(2, np.nan), np.full(2, np.nan), DIAGONAL)
    assert (motion.path_px, motion.followed_s, motion.speed_px_s.mean) == (0, 0, None)


@pytest.mark.parametrize("seed", range(5))
def test_parts_far_apart_that_move_little_are_matched_as_by_the_best_assignment(seed: int) -> None:
    random = np.random.default_rng(seed)
    before = np.stack([random.permutation(8) * 100.0, random.uniform(0, 800, 8)], axis=1)
    now = random.permutation(before + random.uniform(-20, 20, before.shape))
    costs = cdist(before, now)
    assert math.isclose(sum(match(before.tolist(), now.tolist(), 200)), costs[linear_sum_assignment(costs)].sum())
