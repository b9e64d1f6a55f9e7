"""`prepare`: the report's numbers, its picture, duplicates across splits, and own data from the command line."""

import json
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner, Result

from tests.support.squares import CLASSES, red_square_frames
from training.__main__ import app
from training.datasets.exchange.coco import write_coco
from training.datasets.reading import Dataset
from training.datasets.report import Report, make_report
from training.datasets.report_picture import choose_samples, write_report
from training.datasets.source import SourceDataset, SourceFrame
from training.datasets.writing import write_dataset

SPLITS = {"train": ["g0", "g1"], "test": ["g2", "g3"]}


def _write(root: Path, frames: list[SourceFrame], splits: dict[str, list[str]] | None = None) -> Dataset:
    source = SourceDataset("made", "made by the test", "none", "group", CLASSES, splits or {}, iter(frames))
    return write_dataset(source, root / "made")


def _scene(seed: int, height: int = 48, width: int = 60) -> np.ndarray:
    noise = np.random.default_rng(seed).integers(0, 255, (10, 10, 3), dtype=np.uint8)
    return np.asarray(cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)


def _frames(count: int) -> Iterator[SourceFrame]:
    """As unlike as scenes are, unlike the squares on noise, whose low frequencies are much the same."""
    for number, frame in enumerate(red_square_frames(count)):
        yield replace(frame, image=_scene(number))


def test_numbers_are_those_of_the_masks(tmp_path: Path) -> None:
    frames = list(_frames(4))
    bare = np.zeros((48, 60), np.uint8)
    bare[:12] = 2
    report = make_report(_write(tmp_path, [*frames[:3], replace(frames[3], mask=bare)], SPLITS))
    assert (report.whole.frames, report.whole.groups, report.sizes) == (4, 4, {"60x48": 4})
    shaft, tip = report.whole.classes
    assert (shaft.name, shaft.frames, tip.frames) == ("shaft", 3, 4)
    assert shaft.mean_coverage == pytest.approx(200 / 2880, abs=1e-6)
    assert shaft.total_coverage == pytest.approx(600 / (4 * 2880), abs=1e-6)
    assert tip.mean_coverage == pytest.approx((3 * 200 / 2880 + 0.25) / 4, abs=1e-6)
    assert sum(tip.histogram) == 4
    assert (tip.histogram[6], tip.histogram[25]) == (3, 1)
    assert (report.splits["train"].frames, report.splits["test"].classes[0].frames) == (2, 1)
    assert report.warnings == []


def test_a_class_that_no_frame_or_a_split_lacks_is_said(tmp_path: Path) -> None:
    frames = list(_frames(4))
    changed = [replace(f, mask=np.minimum(f.load_mask(), 1)) if f.group in SPLITS["test"] else f for f in frames]
    assert make_report(_write(tmp_path, changed, SPLITS)).warnings == ["the split test has no frame of the class tip"]
    empty = [replace(f, mask=np.minimum(f.load_mask(), 1)) for f in frames]
    assert make_report(_write(tmp_path, empty, SPLITS)).warnings == ["no frame holds the class tip"]


def test_frames_in_no_split_are_said(tmp_path: Path) -> None:
    report = make_report(_write(tmp_path, list(_frames(4)), {"train": ["g0", "g1", "g2"]}))
    assert report.warnings == ["1 frames lie in no split"]


def _with_twins() -> list[SourceFrame]:
    """f00 (g0) again in g2, f01 (g1) darker in g0, f02 (g2) again in g2."""
    frames = list(_frames(4))
    near = np.asarray(_scene(1) * 0.9, np.uint8)
    return [
        *frames,
        replace(frames[0], id="twin", group="g2"),
        replace(frames[1], id="near", group="g0", image=near),
        replace(frames[2], id="again", group="g2"),
    ]


def test_duplicates_are_counted_by_where_they_lie(tmp_path: Path) -> None:
    report = make_report(_write(tmp_path, _with_twins(), SPLITS))
    found = report.duplicates
    assert [(p.exact, p.near) for p in (found.across_splits, found.across_groups, found.within_groups)] == [
        (1, 0),
        (0, 1),
        (1, 0),
    ]
    assert found.across_splits.listed[0].frames == ("f00", "twin")
    assert found.across_splits.listed[0].splits == ("train", "test")
    across, apart = report.warnings
    assert across.startswith(
        "1 pairs of duplicates (1 exact, 0 near) lie across splits, e.g. f00 (train) and twin (test)"
    )
    assert apart.startswith("1 pairs of duplicates (0 exact, 1 near) lie in different groups, e.g. f01 and near")


def test_the_picture_is_written_with_its_numbers_beside_it(tmp_path: Path) -> None:
    dataset = _write(tmp_path, list(_frames(4)), SPLITS)
    report = make_report(dataset)
    picture = write_report(dataset, report)
    assert picture == dataset.root / "report.png"
    assert cv2.imread(str(picture)).shape[1] == 1600
    assert Report.model_validate_json((dataset.root / "report.json").read_text()) == report


def test_samples_come_from_as_many_groups_as_there_are(tmp_path: Path) -> None:
    dataset = _write(tmp_path, list(_frames(12)))
    assert {s.group for s in choose_samples(dataset, 4, seed=0)} == {"g0", "g1", "g2", "g3"}
    assert len(choose_samples(dataset, 99, seed=0)) == 12


def _own(folder: Path, twins: bool = False) -> Path:
    """Own data as a COCO file beside pictures of four videos."""
    frames = [replace(f, id=f"video{f.group[1]}_{f.id}") for f in (_with_twins() if twins else _frames(8))]
    dataset = _write(folder / "raw", frames)
    return write_coco(dataset, dataset.root / "annotations.json")


def _prepare(folder: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["prepare", *arguments, "--data", str(folder / "out")])


GROUPS = ("--group-from", r"(?P<group>video\d+)_")


def test_own_annotations_become_a_data_set_with_splits_and_a_report(tmp_path: Path) -> None:
    path = _own(tmp_path)
    split = ("--split", "0.5,0.25,0.25", "--seed", "1")
    result = _prepare(tmp_path, "coco", "--source", str(path), "--name", "mine", *GROUPS, *split)
    assert result.exit_code == 0, result.output
    assert "mine: 8 frames (train 4, val 2, test 2)" in result.output
    assert "across splits" in result.output
    dataset = Dataset(tmp_path / "out" / "mine")
    assert (dataset.index.name, dataset.index.split_unit) == ("mine", GROUPS[1])
    assert {s.group for s in dataset.split("all")} == {"video0", "video1", "video2", "video3"}
    report = json.loads((dataset.root / "report.json").read_text())
    assert {name: part["frames"] for name, part in report["splits"].items()} == {"train": 4, "val": 2, "test": 2}


def test_an_archive_is_read_as_it_was_exported(tmp_path: Path) -> None:
    path = _own(tmp_path)
    with zipfile.ZipFile(tmp_path / "export.zip", "w") as archive:
        archive.write(path, "annotations/instances_default.json")
        for picture in (path.parent / "images").iterdir():
            archive.write(picture, f"images/{picture.name}")
    result = _prepare(tmp_path, "coco", "--source", str(tmp_path / "export.zip"), "--name", "mine")
    assert result.exit_code == 0, result.output
    assert "mine: 8 frames (no splits)" in result.output
    whole = (tmp_path / "export.zip").read_bytes()
    (tmp_path / "export.zip").write_bytes(whole[: len(whole) // 2])
    broken = _prepare(tmp_path, "coco", "--source", str(tmp_path / "export.zip"), "--name", "mine")
    assert "export.zip is no whole ZIP archive" in str(broken.exception)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "coco needs --name"),
        (("--name", "../other"), "no name of a folder"),
        (("--name", "mine", "--split", "0.5,0.5"), "nothing says which frames belong to one video or patient"),
        (("--name", "mine", "--option", "image=x"), "no option is called 'image' here; there are: images, boxes"),
        (
            ("--name", "mine", "--option", "boxes=maybe"),
            "option boxes=maybe: Input should be 'refuse', 'fill' or 'skip'",
        ),
        (("--name", "mine", "--option", "own=x"), "no option is called 'own'"),
    ],
)
def test_what_cannot_be_prepared_is_said(tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    result = _prepare(tmp_path, "coco", "--source", str(_own(tmp_path)), *arguments)
    assert said in str(result.exception)


def test_single_frames_are_split_only_when_that_is_said(tmp_path: Path) -> None:
    source = ("--source", str(_own(tmp_path)), "--name", "mine")
    result = _prepare(tmp_path, "coco", *source, "--split", "0.5,0.5", "--by", "frame")
    assert result.exit_code == 0, result.output
    assert Dataset(tmp_path / "out" / "mine").index.split_unit == "frame"


def test_duplicates_across_splits_warn_or_are_refused(tmp_path: Path) -> None:
    source = ("--source", str(_own(tmp_path, twins=True)), "--name", "mine", "--by", "frame", "--split", "0.5,0.5")
    seed = next(
        s for s in map(str, range(20)) if "lie across splits" in _prepare(tmp_path, "coco", *source, "--seed", s).output
    )
    assert Dataset(tmp_path / "out" / "mine").index.samples
    refused = _prepare(tmp_path, "coco", *source, "--seed", seed, "--refuse-duplicates")
    assert "pairs of duplicates lie across splits:\n" in str(refused.exception)
    assert not (tmp_path / "out" / "mine" / "dataset.json").exists()


def test_bad_frames_are_refused_all_named_or_left_out_and_counted(tmp_path: Path) -> None:
    path = _own(tmp_path)
    for name in ("video0_f00", "video1_f01"):
        (path.parent / "images" / f"{name}.png").write_bytes(b"")
    source = ("--source", str(path), "--name", "mine")
    said = str(_prepare(tmp_path, "coco", *source).exception)
    assert "2 frames cannot be used" in said
    assert "video0_f00" in said
    assert "video1_f01" in said
    result = _prepare(tmp_path, "coco", *source, "--skip-bad")
    assert result.exit_code == 0, result.output
    assert "mine: 6 frames" in result.output
    assert "2 frames were left out: 2 unreadable or wrong file" in " ".join(result.output.split())


def test_data_is_never_written_over_its_own_source(tmp_path: Path) -> None:
    path = _own(tmp_path)
    arguments = ["prepare", "coco", "--source", str(path), "--name", "made", "--data", str(tmp_path / "raw")]
    result = CliRunner().invoke(app, arguments)
    assert "which would be written anew; choose another --data" in str(result.exception)
    assert path.is_file()


def test_groups_of_a_published_set_are_not_renamed(tmp_path: Path) -> None:
    result = _prepare(tmp_path, "kvasir-seg", "--source", str(tmp_path), *GROUPS)
    assert "kvasir-seg brings its groups and licence" in str(result.exception)
