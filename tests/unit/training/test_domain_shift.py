"""`shift`: the whole command on two small videos."""

import json
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from tests.support.red import write_red_package
from tests.support.videos import write_video
from training.__main__ import app


@pytest.fixture
def sides(tmp_path: Path) -> tuple[Path, Path, Path]:
    package = write_red_package(tmp_path / "models").folder
    first = write_video(tmp_path / "first.mp4", frames=6)
    return package, first, write_video(tmp_path / "second.mp4", frames=6, height=64, width=200)


def test_two_videos_are_predicted_and_compared(tmp_path: Path, sides: tuple[Path, Path, Path]) -> None:
    package, first, second = sides
    arguments = ["shift", str(first), str(second), "--model", str(package), "--out", str(tmp_path / "out")]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    numbers = json.loads((tmp_path / "out" / "shift.json").read_text())
    assert [numbers["sides"][side]["name"] for side in "ab"] == ["first", "second"]
    assert numbers["sides"]["a"]["frames_without_detection"] == 0
    assert list(numbers["distances"]) == ["coverage", "confidence", "brightness", "sharpness"]
    assert "| detection rate | 100.0% | 100.0% |" in (tmp_path / "out" / "shift.md").read_text()
    with Image.open(tmp_path / "out" / "shift.png") as picture:
        assert picture.width > 1000

    again = CliRunner().invoke(
        app, ["shift", str(tmp_path / "out" / "a"), str(tmp_path / "out" / "a"), "--out", str(tmp_path / "same")]
    )
    assert again.exit_code == 0, again.output
    same = json.loads((tmp_path / "same" / "shift.json").read_text())
    assert [entry["psi"] for entry in same["distances"].values()] == [0, 0, 0, 0]
    assert same["sides"]["b"]["name"] == "first"


def test_features_that_a_table_lacks_are_named(tmp_path: Path, sides: tuple[Path, Path, Path]) -> None:
    package, first, _ = sides
    out = tmp_path / "out"
    assert CliRunner().invoke(app, ["predict", str(package), str(first), "--out", str(out)]).exit_code == 0
    table = (out / "predictions.csv").read_text().splitlines()
    (out / "frames.csv").write_text("\n".join(",".join(line.split(",")[:10]) for line in table) + "\n")
    (out / "predictions.csv").unlink()
    assert CliRunner().invoke(app, ["shift", str(out), str(out), "--out", str(out)]).exit_code == 0
    assert json.loads((out / "shift.json").read_text())["missing"] == ["brightness", "sharpness"]


def test_a_video_without_a_model_is_refused(sides: tuple[Path, Path, Path]) -> None:
    _, first, second = sides
    result = CliRunner().invoke(app, ["shift", str(first), str(second)])
    assert "is not predicted yet; name a model with --model" in str(result.exception)
