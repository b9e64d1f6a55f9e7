"""Candidates on one split: what is imposed, what is refused, how they are ranked."""

import json
from pathlib import Path

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from tests.support.made_runs import small, write_run
from training.__main__ import app
from training.config import DataUse, Preset
from training.errors import PresetError, TrainingError
from training.fitting.train import RunOptions
from training.metrics import Counter
from training.metrics.bootstrap import Resampling, interval
from training.studies.compare import Comparison, read_candidates
from training.studies.compare_report import summarise
from training.studies.framecounts import FrameCounts
from training.studies.framescores import class_scores, frame_weights, mean_scores

pytestmark = pytest.mark.filterwarnings(
    "ignore:.*does not have many workers.*",
    "ignore:.*`weights_only` was not set.*",
    "ignore:.*isinstance.treespec.*",
    "ignore:Checkpoint directory .* exists and is not empty",
)


def _yaml(folder: Path, preset: Preset) -> str:
    path = folder / f"{preset.name}.yaml"
    path.write_text(yaml.safe_dump(preset.model_dump(mode="json")))
    return str(path)


def _options(datasets: Path, folder: Path) -> RunOptions:
    return RunOptions(datasets, folder, None, workers=0, threads=1, accelerator="cpu")


def test_the_first_candidates_data_split_and_seed_are_imposed_on_the_others(tmp_path: Path, preset: Preset) -> None:
    other = small(preset, name="other", seed=9, test=[DataUse(data="elsewhere")], learning_rate=0.5)
    first, second = read_candidates([_yaml(tmp_path, preset), _yaml(tmp_path, other)], [])
    assert (second.preset.test, second.preset.train, second.preset.seed) == (preset.test, preset.train, preset.seed)
    assert (second.preset.net, second.preset.learning_rate) == (other.net, 0.5)
    assert first.preset == preset


def test_other_classes_are_refused(tmp_path: Path, preset: Preset) -> None:
    classes = [preset.classes[0], preset.classes[1].model_copy(update={"name": "polyp"})]
    other = preset.model_copy(update={"name": "other", "classes": classes, "merge": {}})
    with pytest.raises(PresetError, match=r"other has the classes background, polyp; squares has background, instru"):
        read_candidates([_yaml(tmp_path, preset), _yaml(tmp_path, other)], [])


def test_two_candidates_of_one_name_need_another(tmp_path: Path, preset: Preset) -> None:
    path = _yaml(tmp_path, preset)
    with pytest.raises(TrainingError, match="two candidates are called 'squares'; write NAME=squares"):
        read_candidates([path, path], [])
    named = read_candidates([path, f"again={path}"], ["epochs=7"])
    assert [(c.name, c.preset.epochs) for c in named] == [("squares", 7), ("again", 7)]


def test_a_run_that_has_seen_the_test_frames_is_refused(datasets: Path, tmp_path: Path, preset: Preset) -> None:
    cheat = small(preset, train=[DataUse(data="squares")])
    run = write_run(tmp_path / "cheat", cheat)
    candidates = read_candidates([_yaml(tmp_path, preset), str(run)], [])
    with pytest.raises(PresetError, match="cheat trained on g3 of squares, which it would be scored on"):
        Comparison(candidates, _options(datasets, tmp_path / "out"))


def test_finished_runs_are_ranked_and_everything_is_written(datasets: Path, tmp_path: Path, preset: Preset) -> None:
    fitting = small(preset)
    runs = [write_run(tmp_path / name, fitting, bias=bias) for name, bias in (("none", -50.0), ("all", 50.0))]
    out = tmp_path / "out"
    arguments = ["compare", *map(str, runs), "--data", str(datasets), "--folder", str(out), "--rounds", "2"]
    result = CliRunner().invoke(app, [*arguments, "--threads", "1"])
    assert result.exit_code == 0, result.output
    content = json.loads((out / "compare.json").read_text())
    best, worst = content["candidates"]
    assert (best["name"], worst["name"]) == ("all", "none")
    truth = 2 * 20 * 20 / (2 * 48 * 60)
    assert best["mean"]["precision"]["value"] == pytest.approx(truth, abs=1e-4)
    assert (best["mean"]["recall"]["value"], worst["mean"]["dice"]["value"]) == (1.0, 0.0)
    assert worst["mean"]["accuracy"]["value"] == pytest.approx(1 - truth, abs=1e-4)
    assert best["difference_to_best"] is None
    assert worst["difference_to_best"]["value"] == pytest.approx(-best["mean"]["dice"]["value"])
    assert best["ms_a_frame"]["median"] > 0
    assert best["input"] == {"height": 32, "width": 64, "resize": "stretch"}
    assert best["parameters"] == worst["parameters"] > 1e5
    assert {path.name for path in out.glob("*.png")} == {"compare.png", "confusion-all.png", "confusion-none.png"}
    assert "| all | 64x32 |" in (out / "compare.md").read_text()


def test_a_trained_candidate_is_not_trained_again(datasets: Path, tmp_path: Path, preset: Preset) -> None:
    path = _yaml(tmp_path, small(preset))
    options = _options(datasets, tmp_path / "out")
    assert Comparison(read_candidates([path], []), options).train() == []
    written = (tmp_path / "out" / "squares" / "last.ckpt").stat().st_mtime_ns
    again = Comparison(read_candidates([path], []), options)
    assert again.train() == []
    assert (tmp_path / "out" / "squares" / "last.ckpt").stat().st_mtime_ns == written
    (row,) = again.measure(rounds=1)
    assert row.train_seconds is not None
    assert row.counts.ids == ["squares/f03", "squares/f07"]


def test_scores_agree_with_the_counter() -> None:
    rng = np.random.default_rng(2)
    masks = rng.integers(0, 3, (6, 2, 9, 9), dtype=np.uint8)
    masks[0] = 0
    confusion = np.stack([np.bincount(t.ravel() * 3 + p.ravel(), minlength=9).reshape(3, 3) for p, t in masks])
    found = class_scores(confusion, np.ones((1, 6)))
    for class_id in (1, 2):
        counter = Counter(class_id)
        for predicted, truth in masks:
            counter.update(predicted, truth)
        expected = counter.compute()
        for name in ("dice", "iou", "precision", "recall"):
            assert found[name][0, class_id - 1] == pytest.approx(getattr(expected, name))
    accuracy = np.mean([np.mean(p == t) for p, t in masks])
    assert mean_scores(confusion, np.ones((1, 6)))["accuracy"][0] == pytest.approx(accuracy)


def test_the_paired_interval_of_a_constant_difference_is_narrow() -> None:
    """Frames differ much, the two models by the same bit on each: unpaired intervals would overlap."""
    sizes = np.arange(5, 95, 5)
    one, other = (np.array([[[100, 0], [100 - hit - more, hit + more]] for hit in sizes]) for more in (0, 2))
    weights = frame_weights(Resampling.draw([f"f{i}" for i in range(len(sizes))]))
    first, second = (mean_scores(confusion, weights)["recall"] for confusion in (one, other))
    paired = interval(second - first)
    assert interval(first).high > interval(second).low
    assert paired.low == pytest.approx(paired.high, abs=1e-6)
    assert paired.value == pytest.approx(0.02)


def test_candidates_scored_on_other_frames_are_not_compared(datasets: Path, tmp_path: Path, preset: Preset) -> None:
    run = write_run(tmp_path / "one", small(preset))
    study = Comparison(read_candidates([str(run)], []), _options(datasets, tmp_path / "out"))
    (row,) = study.measure(rounds=1)
    other = type(row)(
        row.candidate,
        row.spec,
        FrameCounts(["squares/f99", "squares/f07"], row.counts.groups, row.counts.confusion),
        row.size,
        row.timing,
        None,
        row.backend,
    )
    with pytest.raises(TrainingError, match="not scored on the same frames"):
        summarise(study, [row, other], "dice", [])


def test_changed_weights_are_scored_anew(datasets: Path, tmp_path: Path, preset: Preset) -> None:
    """Counts are cached by the weights, not by the candidate's name."""
    found = []
    for folder, bias in (("first", 50.0), ("second", -50.0)):
        run = write_run(tmp_path / folder / "one", small(preset), bias=bias)
        study = Comparison(read_candidates([str(run)], []), _options(datasets, tmp_path / "out"))
        found.append(study.measure(rounds=1)[0].counts.confusion.sum(axis=0))
    assert found[0][:, 0].sum() == found[1][:, 1].sum() == 0
