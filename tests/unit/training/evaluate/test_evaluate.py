"""The full evaluation, of a model that takes bright red for an instrument: its masks are known beforehand."""

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from service.imaging.geometry import U8
from service.manifest.entries import ClassEntry
from service.manifest.package import Package
from tests.support.squares import squares_preset
from training.config import DataUse
from training.datasets.reading import Dataset
from training.errors import PresetError
from training.evaluate.passes import TestSet
from training.evaluate.pictures import choose_frames
from training.evaluate.results import Options
from training.evaluate.rows import FrameRow, frame_rows
from training.evaluate.run import check_manifest, evaluate_model
from training.evaluate.scoring import evaluate
from training.evaluate.summary import MEAN_CLASS, METRICS, by_group, summarise
from training.metrics.confusion import confusion_matrix
from training.models import OpenModel, open_model

OPTIONS = Options(resamples=100)


class RedBackend:
    """Red is foreground; of three classes, red above is shaft and red below another red is tip."""

    name, provider, precision, max_batch = "red", "cpu", "fp32", 8

    def __init__(self, planes: int = 1) -> None:
        self._planes = planes

    def run(self, frames: U8) -> U8:
        red = np.where((frames[..., 0] > 180) & (frames[..., 1] < 90), 230, 10).astype(np.uint8)
        if self._planes == 1:
            return red[:, np.newaxis]
        return np.stack([240 - red, red, np.zeros_like(red)], axis=1)


def _model(three: bool = False) -> OpenModel:
    preset = squares_preset()
    names = ["background", "shaft", "tip"] if three else ["background", "instrument"]
    classes = [{"name": name, "colour": f"#40{i}0ff"} for i, name in enumerate(names)]
    if three:
        preset = preset.model_validate({**preset.model_dump(), "classes": classes, "merge": {}})
    entries = [ClassEntry(id=i, name=name, colour=f"#40{i}0ff") for i, name in enumerate(names)]
    spec = replace(preset.input.spec(), height=48, width=60)
    return OpenModel("red", entries, spec, 0.5, RedBackend(len(names) if three else 1), lambda: preset)


def _report(out: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((out / "report.json").read_text())
    return content


def test_a_perfect_model_has_perfect_scores_and_every_file(datasets: Path, tmp_path: Path) -> None:
    evaluate_model(_model(), Path("red"), datasets, tmp_path / "out", OPTIONS)
    report = _report(tmp_path / "out")
    (found,) = report["sets"]
    (scores,) = found["scores"]
    assert (scores["group"], scores["class_name"], scores["n"], scores["n_with_class"]) == ("g3", "instrument", 2, 2)
    for name in METRICS:
        perfect = 0.0 if name.startswith("hd95") else 1.0
        assert scores["scores"][name] == {"value": perfect, "low": perfect, "high": perfect}
    assert found["confusion"] == [[2 * (48 * 60 - 400), 0], [0, 800]]
    assert found["thresholds"]["best_dice"] == 1.0
    assert set(found["pictures"]) == {"panels", "confusion", "thresholds"}
    for name in found["pictures"].values():
        assert cv2.imread(str(tmp_path / "out" / name)) is not None
        assert (tmp_path / "out" / name).with_suffix(".json").is_file()
    assert report["manifest"] is None
    text = (tmp_path / "out" / "report.md").read_text()
    assert "| g3 | instrument | 2 | 2 | 1.000 (1.000 to 1.000) |" in text
    with (tmp_path / "out" / "frames.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["frame"], row["group"], row["tp"], row["dice"]) for row in rows] == [
        ("f03", "g3", "400", "1.0"),
        ("f07", "g3", "400", "1.0"),
    ]


def test_several_groups_are_scored_each_and_together(datasets: Path, tmp_path: Path) -> None:
    options = replace(OPTIONS, on=DataUse(data="squares", split="train"))
    result = evaluate_model(_model(), Path("red"), datasets, tmp_path / "out", options)
    rows = [(s.group, s.n, s.resampled) for s in result.sets[0].scores]
    assert rows == [("g0", 2, "frame"), ("g1", 2, "frame"), ("g2", 2, "frame"), ("train", 6, "group")]
    assert "draw its 3 groups" in (tmp_path / "out" / "report.md").read_text()


def test_classes_are_scored_each_and_as_their_mean(datasets: Path, tmp_path: Path) -> None:
    """This model finds the shaft and calls the tip shaft too: Dice 2/3 for one, 0 for the other."""
    result = evaluate_model(_model(three=True), Path("red"), datasets, tmp_path / "out", OPTIONS)
    dice = {s.class_name: s.scores["dice"].value for s in result.sets[0].scores}
    assert dice == {"shaft": 0.6667, "tip": 0.0, MEAN_CLASS: 0.3333}
    assert result.sets[0].thresholds is None
    assert result.sets[0].confusion[2] == [0, 400, 0]


def test_groups_and_a_number_of_frames_can_be_chosen(datasets: Path, tmp_path: Path) -> None:
    use = DataUse(data="squares", groups=["g1", "g2"])
    result = evaluate_model(_model(), Path("red"), datasets, tmp_path / "out", replace(OPTIONS, on=use, max_frames=3))
    assert {s.group for s in result.sets[0].scores} == {"g1", "g2", "all"}
    assert result.sets[0].frames == 3
    few = TestSet.open(use, squares_preset(), Dataset(datasets / "squares"), 2)
    assert [sample.id for sample in few.samples] == ["f01", "f06"]  # the ends: evenly spread


def test_corrupted_frames_cost_dice(datasets: Path, tmp_path: Path) -> None:
    result = evaluate_model(_model(), Path("red"), datasets, tmp_path / "out", replace(OPTIONS, robustness=True))
    drops = {(d.corruption, d.severity): d for d in result.sets[0].robustness}
    assert len(drops) == 21
    assert drops["low light", 3].drop.value == 1.0  # nothing is bright red in the dark
    assert all(d.drop.value == pytest.approx(1 - d.dice.value, abs=1e-4) for d in drops.values())
    listed = _report(tmp_path / "out")["sets"][0]["robustness"]
    assert [(d["corruption"], d["severity"]) for d in listed] == list(drops)
    assert "| low light |" in (tmp_path / "out" / "report.md").read_text()
    assert (tmp_path / "out" / "1-squares-robustness.png").is_file()


def test_the_report_has_the_numbers_of_a_package_s_manifest(exported: tuple[Package, Path], tmp_path: Path) -> None:
    package, datasets = exported
    model = open_model(package.folder, device="cpu", preset=squares_preset())
    result = evaluate_model(model, package.folder, datasets, tmp_path / "out", OPTIONS)
    assert result.manifest is not None
    assert result.manifest.sentence == "the same as in manifest.json"
    again = evaluate(model.backend, package.manifest, squares_preset(), datasets)
    assert check_manifest(package.folder, again) == result.manifest
    other = [again[0].model_copy(update={"dice": again[0].dice + 0.01})]
    check = check_manifest(package.folder, other)
    assert check is not None
    assert check.sentence == "NOT the same as in manifest.json: they differ by up to 0.0100"
    elsewhere = check_manifest(package.folder, [again[0].model_copy(update={"group": "g9"})])
    assert elsewhere is not None
    assert elsewhere.sentence.endswith("its rows are of other data")


def test_the_same_seed_writes_the_same_report(datasets: Path, tmp_path: Path) -> None:
    sets = []
    for name in ("a", "b"):
        options = replace(OPTIONS, on=DataUse(data="squares"), seed=5)
        evaluate_model(_model(three=True), Path("red"), datasets, tmp_path / name, options)
        (found,) = _report(tmp_path / name)["sets"]
        sets.append({key: value for key, value in found.items() if key != "milliseconds"})
    assert sets[0] == sets[1]
    assert (tmp_path / "a" / "frames.csv").read_bytes() == (tmp_path / "b" / "frames.csv").read_bytes()


def test_a_data_set_of_other_classes_is_refused(datasets: Path, tmp_path: Path) -> None:
    strict = squares_preset().model_copy(update={"merge": {}})
    with pytest.raises(PresetError, match="shaft"):
        evaluate_model(replace(_model(), find_preset=lambda: strict), Path("red"), datasets, tmp_path, OPTIONS)


def test_a_preset_of_other_classes_than_the_model_s_is_refused(datasets: Path, tmp_path: Path) -> None:
    model = replace(_model(three=True), find_preset=squares_preset)
    with pytest.raises(PresetError, match=r"'shaft', 'tip'\]; preset squares has \['background', 'instrument'\]"):
        evaluate_model(model, Path("red"), datasets, tmp_path, OPTIONS)


def _row(frame: str, tp: int, fp: int, fn: int, group: str = "g", class_name: str = "polyp") -> FrameRow:
    truth, predicted = np.zeros((2, 1, 100), np.uint8)
    truth[0, : tp + fn], predicted[0, fn : fn + tp + fp] = 1, 1
    matrix = confusion_matrix(truth, predicted, 2)
    classes = [ClassEntry(id=i, name=n, colour="#000000") for i, n in enumerate(["background", class_name])]
    return frame_rows(("data", frame, group), predicted, truth, matrix, classes, 0.01)[0]


def test_a_row_holds_every_score_of_its_frame() -> None:
    row = _row("a", tp=30, fp=10, fn=20)
    assert (row.tp, row.fp, row.fn, row.tn) == (30, 10, 20, 40)
    ratios = (row.dice, row.iou, row.precision, row.recall, row.specificity, row.accuracy)
    assert ratios == pytest.approx((60 / 90, 30 / 60, 0.75, 0.6, 0.8, 0.7))
    assert row.hd95_percent == pytest.approx(100 * row.hd95_px / 100.005, rel=1e-4)


def test_a_frame_without_the_class_counts_as_right_when_nothing_is_found_and_as_wrong_else() -> None:
    nothing, false_alarm = _row("a", 0, 0, 0), _row("b", 0, 5, 0)
    assert (nothing.dice, nothing.precision, nothing.recall, nothing.nsd, nothing.hd95_px) == (1, 1, 1, 1, 0)
    assert (false_alarm.dice, false_alarm.precision, false_alarm.recall, false_alarm.nsd) == (0, 0, 0, 0)
    assert false_alarm.hd95_percent == 100
    (summary,) = summarise([nothing, false_alarm], "all", 100, 1, ["polyp"])
    assert (summary.n, summary.n_with_class, summary.scores["dice"].value) == (2, 0, 0.5)


def test_pooled_scores_weigh_pixels_and_means_weigh_frames() -> None:
    rows = [_row("a", 80, 0, 0), _row("b", 1, 9, 0)]
    (summary,) = summarise(rows, "all", 100, 1, ["polyp"])
    assert summary.scores["dice"].value == pytest.approx((1 + 2 / 11) / 2, abs=1e-4)
    assert summary.scores["dice_pooled"].value == pytest.approx(162 / 171, abs=1e-4)
    assert summary.scores["accuracy"].value == pytest.approx(1 - 9 / 200, abs=1e-4)


def test_a_group_a_frame_is_one_row_and_a_single_group_keeps_its_name() -> None:
    apart = [_row("a", 1, 0, 0, "a"), _row("b", 1, 0, 0, "b")]
    assert [name for name, _ in by_group(apart, "val")] == ["val"]
    assert [name for name, _ in by_group([_row("a", 1, 0, 0), _row("b", 1, 0, 0)], "val")] == ["g"]


def test_panels_show_best_median_and_worst_and_no_frame_twice() -> None:
    rows = [_row(f"f{i}", tp=10 * i, fp=0, fn=90 - 10 * i) for i in range(1, 10)]
    chosen = [(c.rank, c.frame) for c in choose_frames([*rows, _row("empty", 0, 0, 0)])]
    assert chosen == [
        ("best", "f9"),
        ("best", "f8"),
        ("median", "f6"),
        ("median", "f5"),
        ("worst", "f2"),
        ("worst", "f1"),
    ]
    assert [c.rank for c in choose_frames(rows[:1])] == ["best"]
    assert [c.frame for c in choose_frames([_row("empty", 0, 0, 0)])] == ["empty"]
