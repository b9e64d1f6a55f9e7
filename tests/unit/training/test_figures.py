"""Figures: a picture that opens, and beside it the numbers that it shows."""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from service.imaging.geometry import U8
from training.figures import Curve, Mark, Panel, write_bars, write_confusion, write_curves, write_panels
from training.figures.confusion import row_shares
from training.figures.panels import CONFUSED, FALSE_ALARM, HIT, MISSED, difference


def _opened(path: Path) -> tuple[U8, dict[str, Any]]:
    picture = cv2.imread(str(path))
    assert picture is not None
    return np.asarray(picture, np.uint8), json.loads(path.with_suffix(".json").read_text())


def test_confusion_gives_counts_and_shares(tmp_path: Path) -> None:
    matrix = np.array([[900, 100, 0], [5, 15, 0], [0, 0, 0]])
    picture, numbers = _opened(write_confusion(matrix, ["background", "shaft", "tip"], tmp_path / "c.png", "a model"))
    assert picture.shape[1] > picture.shape[0] > 300
    assert numbers["pixels"] == matrix.tolist()
    assert numbers["row_shares"] == [[0.9, 0.1, 0.0], [0.25, 0.75, 0.0], [None, None, None]]
    assert (numbers["title"], numbers["classes"]) == ("a model", ["background", "shaft", "tip"])


def test_a_class_without_a_true_pixel_has_no_shares() -> None:
    shares = row_shares(np.array([[3, 1], [0, 0]]))
    np.testing.assert_array_equal(shares, [[0.75, 0.25], [np.nan, np.nan]])


def test_curves_come_with_their_points_bands_and_marks(tmp_path: Path) -> None:
    curves = [Curve("Dice", [5, 50, 95], [0.7, 0.9, 0.8], [0.6, 0.8, 0.7], [0.8, 0.95, 0.9]), Curve("recall", [5], [1])]
    path = write_curves(curves, tmp_path / "t.png", xlabel="threshold", ylabel="score", marks=[Mark(50, "in use")])
    picture, numbers = _opened(path)
    assert picture.std() > 0
    assert numbers["curves"][0] == {
        "name": "Dice",
        "x": [5, 50, 95],
        "y": [0.7, 0.9, 0.8],
        "low": [0.6, 0.8, 0.7],
        "high": [0.8, 0.95, 0.9],
    }
    assert "low" not in numbers["curves"][1]
    assert numbers["marks"] == [{"x": 50, "label": "in use"}]


def test_bars_come_with_their_values_and_intervals(tmp_path: Path) -> None:
    series = {"severity 1": [0.1, -0.02], "severity 2": [0.3, 0.0]}
    intervals = {"severity 1": [(0.05, 0.15), (-0.05, 0.01)]}
    path = write_bars(["smoke", "noise"], series, tmp_path / "b.png", ylabel="drop", intervals=intervals)
    _, numbers = _opened(path)
    assert numbers["series"] == series
    assert numbers["intervals"] == {"severity 1": [[0.05, 0.15], [-0.05, 0.01]]}


@pytest.mark.parametrize("with_truth", [True, False])
def test_panels_take_frames_of_any_size(tmp_path: Path, with_truth: bool) -> None:
    rows = []
    for height, width in ((40, 60), (90, 50)):
        image = np.full((height, width, 3), 120, np.uint8)
        mask = np.zeros((height, width), np.uint8)
        mask[10:20, 10:20] = 1
        rows.append(Panel(image, mask, mask if with_truth else None, f"{width}x{height}", {"dice": 1.0}))
    path = write_panels(rows, [(0, 0, 0), (200, 40, 40)], ["background", "polyp"], tmp_path / "p.png", "title")
    picture, numbers = _opened(path)
    assert picture.shape[1] == pytest.approx(1648 if with_truth else 829, abs=2)
    assert numbers == {"title": "title", "rows": [{"caption": "60x40", "dice": 1.0}, {"caption": "50x90", "dice": 1.0}]}


def test_the_difference_shows_each_kind_of_error_in_its_colour() -> None:
    image = np.full((40, 160, 3), 90, np.uint8)
    truth, predicted = np.zeros((2, 40, 160), np.uint8)
    predicted[10:30, 5:25], truth[10:30, 5:25] = 1, 1
    predicted[10:30, 45:65] = 1
    truth[10:30, 85:105] = 1
    predicted[10:30, 125:145], truth[10:30, 125:145] = 1, 2
    shown = difference(image, truth, predicted)
    for column, colour in ((15, HIT), (55, FALSE_ALARM), (95, MISSED), (135, CONFUSED)):
        expected = np.rint(0.4 * 90 + 0.6 * np.array(colour))
        np.testing.assert_allclose(shown[20, column], expected, atol=1)
    np.testing.assert_array_equal(shown[2, 2], [90, 90, 90])
