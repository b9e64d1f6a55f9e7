"""The commands that need no server."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from service.cli.check import check_packages
from service.cli.segment import load_newest, segment_files
from service.errors import UnknownModel
from tests.support.red import write_red_package
from tests.support.running import RED_PNG, red_settings


def test_segment_writes_mask_overlay_and_numbers_beside_each_other(tmp_path: Path) -> None:
    settings = red_settings(tmp_path, provider="cpu")
    frame, out = tmp_path / "frame.png", tmp_path / "out"
    frame.write_bytes(RED_PNG)
    assert segment_files(settings, [frame], out, None, None) == 0
    mask = cv2.imread(str(out / "frame.mask.png"), cv2.IMREAD_COLOR)
    overlay = cv2.imread(str(out / "frame.overlay.jpg"))
    numbers = json.loads((out / "frame.json").read_text())
    assert mask is not None
    assert overlay is not None
    assert mask.shape == overlay.shape == (120, 160, 3)
    assert np.any(mask[50, 65] != mask[5, 5])
    assert numbers["classes"][0]["pixels"] == pytest.approx(2000, rel=0.1)


def test_segment_goes_on_after_a_bad_file_and_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = red_settings(tmp_path, provider="cpu")
    bad, good = tmp_path / "bad.txt", tmp_path / "good.png"
    bad.write_text("no picture")
    good.write_bytes(RED_PNG)
    assert segment_files(settings, [bad, good], tmp_path / "out", None, 0.5) == 1
    assert "the body looks like text" in capsys.readouterr().err
    assert (tmp_path / "out" / "good.mask.png").exists()


def test_the_newest_version_is_taken_and_an_unknown_model_is_named(tmp_path: Path) -> None:
    settings = red_settings(tmp_path, provider="cpu")
    write_red_package(settings.models_dir, version=2)
    assert load_newest(settings, None).label == "red/2"
    with pytest.raises(UnknownModel, match=r"there is no model 'blue'.*there is red"):
        load_newest(settings, "blue")


def test_check_tells_the_good_packages_from_the_damaged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = red_settings(tmp_path, provider="cpu", backend="onnxruntime", threads=1)
    assert check_packages(settings) == 0
    said = capsys.readouterr().out
    assert "ok     red/1 on onnxruntime cpu fp32" in said
    assert "     * onnxruntime cpu fp32 with 1 thread: " in said
    write_red_package(settings.models_dir, version=2)
    (settings.models_dir / "red" / "2" / "golden.npz").write_bytes(b"damaged")
    assert check_packages(settings) == 1
    said = capsys.readouterr().out
    assert "ok     red/1" in said
    assert "FAILED red/2: red/2: golden.npz has checksum" in said


def test_check_fails_where_there_is_nothing_to_check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = red_settings(tmp_path, models_dir=tmp_path / "none")
    assert check_packages(settings) == 1
    assert "there is no model package" in capsys.readouterr().out
