"""`analyse`: numbers of masks against hand-worked cases and independent formulas."""

import json
import zipfile
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from torchmetrics.functional import jaccard_index
from typer.testing import CliRunner

from service.imaging.geometry import U8
from service.imaging.masks import encode_png
from service.manifest.entries import ClassEntry
from tests.support.red import red_frame
from training.__main__ import app
from training.analyse.masks import MaskFolder, NamedMask
from training.analyse.measures import Series, analyse_track, flicker, follow
from training.analyse.samples import choose_samples
from training.errors import InputError

CLASSES = [
    ClassEntry(id=0, name="background", colour="#000000"),
    ClassEntry(id=1, name="shaft", colour="#40a0ff"),
    ClassEntry(id=2, name="tip", colour="#ff8020"),
]


def box(x: int, width: int = 4, class_id: int = 1) -> U8:
    labels = np.zeros((10, 20), np.uint8)
    labels[2:7, x : x + width] = class_id
    return labels


def series_of(masks: list[U8], groups: list[str] | None = None) -> Series:
    names = groups or ["v"] * len(masks)
    named = [NamedMask(f"{k:08d}", names[k], None, labels) for k, labels in enumerate(masks)]
    return follow(named, CLASSES, lambda _: None)


def write_masks(folder: Path, masks: list[U8], classes: list[ClassEntry] = CLASSES) -> Path:
    (folder / "masks").mkdir(parents=True)
    (folder / "classes.json").write_text(json.dumps([entry.model_dump() for entry in classes]))
    for place, labels in enumerate(masks):
        (folder / "masks" / f"{place:08d}.png").write_bytes(encode_png(labels, [entry.rgb for entry in CLASSES]))
    return folder


def test_detection_and_coverage_count_every_frame() -> None:
    empty = np.zeros((10, 20), np.uint8)
    series = series_of([empty, box(0), box(0, 8), empty])
    found = analyse_track(series.tracks[1], series.groups)
    assert found.detection_rate == 0.5
    assert found.coverage.mean == pytest.approx((0.1 + 0.2) / 4)
    assert found.coverage_when_seen.median == pytest.approx(0.15)
    assert sum(found.histogram.counts) == 2
    assert found.histogram.edges[-1] == pytest.approx(0.2)
    assert found.stability.appearances == 1


def test_a_class_that_is_never_seen_has_no_numbers_of_its_own() -> None:
    series = series_of([box(0), box(1)])
    tip = analyse_track(series.tracks[2], series.groups)
    assert (tip.detection_rate, tip.coverage_when_seen.mean, tip.stability.pairs) == (0, None, 0)
    assert tip.stability.unstable_share is None
    assert sum(tip.histogram.counts) == 0


def test_temporal_iou_is_that_of_torchmetrics_for_each_class() -> None:
    import torch

    rng = np.random.default_rng(2)
    masks = [rng.integers(0, 3, (12, 16)).astype(np.uint8) for _ in range(4)]
    series = series_of(masks)
    for class_id in (1, 2):
        wanted = [
            float(jaccard_index(torch.from_numpy(b == class_id), torch.from_numpy(a == class_id), task="binary"))
            for a, b in pairwise(masks)
        ]
        assert series.tracks[class_id].iou[1:] == pytest.approx(wanted, abs=1e-6)


def test_masks_of_two_videos_are_no_neighbours() -> None:
    series = series_of([box(0), box(0), box(0)], ["a", "a", "b"])
    assert np.isnan(series.tracks[0].iou).tolist() == [True, False, True]


def test_flicker_counts_frames_that_differ_from_both_neighbours() -> None:
    seen = np.array([True, True, False, True, True, True])
    assert flicker(seen, ["v"] * 6) == 0.25  # of the four inner frames one: the third
    assert flicker(seen, ["a", "a", "a", "b", "b", "b"]) == 0  # its neighbour is another video's
    assert flicker(seen[:2], ["v"] * 2) is None


def test_a_mask_that_jumps_is_unstable() -> None:
    series = series_of([box(0), box(1), box(12)])
    stability = analyse_track(series.tracks[1], series.groups).stability
    assert stability.unstable_share == 0.5
    assert stability.temporal_iou.minimum == 0


def test_the_archive_of_the_service_and_a_folder_give_the_same(tmp_path: Path) -> None:
    folder = write_masks(tmp_path / "folder", [box(0), box(3, class_id=2)])
    results = tmp_path / "results"
    results.mkdir()
    with zipfile.ZipFile(results / "masks.zip", "w") as archive:
        archive.write(folder / "classes.json", "classes.json")
        for path in (folder / "masks").iterdir():
            archive.write(path, f"masks/{path.name}")
    (results / "frames.csv").write_text("index,time_s,coverage\n0,0.0,0.1\n1,0.04,0.1\n")
    from_zip, from_folder = MaskFolder(results), MaskFolder(folder)
    assert [mask.labels.tolist() for mask in from_zip] == [mask.labels.tolist() for mask in from_folder]
    assert [mask.time_s for mask in from_zip] == [0.0, 0.04]
    assert from_zip.classes == from_folder.classes


def test_masks_without_classes_are_refused_with_what_to_write(tmp_path: Path) -> None:
    folder = write_masks(tmp_path / "folder", [box(0)])
    (folder / "classes.json").unlink()
    with pytest.raises(InputError, match=r"has no classes\.json, which says what the pixel values mean"):
        MaskFolder(folder)


def test_a_class_id_without_a_name_is_refused(tmp_path: Path) -> None:
    folder = write_masks(tmp_path / "folder", [box(0, class_id=2)], CLASSES[:2])
    with pytest.raises(InputError, match="mask 00000000 holds the class id 2"):
        list(MaskFolder(folder))


def test_a_coloured_picture_is_no_mask(tmp_path: Path) -> None:
    folder = write_masks(tmp_path / "folder", [])
    Image.fromarray(red_frame(10, 10)).save(folder / "masks" / "a.png")
    with pytest.raises(InputError, match="index masks have one byte a pixel"):
        list(MaskFolder(folder))


def test_a_folder_without_masks_and_a_broken_archive_are_said_so(tmp_path: Path) -> None:
    (tmp_path / "masks.zip").write_bytes(b"PK no archive")
    with pytest.raises(InputError, match="no readable zip"):
        MaskFolder(tmp_path / "masks.zip")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="holds no masks"):
        MaskFolder(tmp_path / "empty")


def test_samples_are_spread_over_what_is_seen() -> None:
    assert choose_samples([0, 1, 1, 0, 1, 1, 0, 1], 3) == [1, 4, 7]
    assert choose_samples([0.0, 0.0, 1.0], 2) == [0, 2]


def test_the_command_writes_numbers_picture_and_text(tmp_path: Path) -> None:
    folder = write_masks(tmp_path / "folder", [box(k) for k in range(5)] + [box(3, class_id=2)])
    result = CliRunner().invoke(app, ["analyse", str(folder)])
    assert result.exit_code == 0, result.output
    assert "shaft: seen in 83.3% of 6 frames" in result.output
    numbers = json.loads((folder / "analysis.json").read_text())
    assert [entry["name"] for entry in numbers["classes"]] == ["any", "shaft", "tip"]
    assert numbers["classes"][0]["stability"]["pairs"] == 5
    with Image.open(folder / "analysis.png") as picture:
        assert picture.width > 1000
    assert "| tip | 16.7% |" in (folder / "analysis.md").read_text()
