"""The grid of settings: how it is read, what is told from it, and that one bad trial does not end it."""

import csv
import json
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from tests.support.made_runs import small, write_run
from training.__main__ import app
from training.config import Preset
from training.errors import PresetError
from training.fitting.train import RunOptions
from training.studies.runset import write_text
from training.studies.sweep import Axis, Sweep, parse_axis, plan_trials, selected_epoch, short_value
from training.studies.sweep_report import write_report

pytestmark = pytest.mark.filterwarnings(
    "ignore:.*does not have many workers.*",
    "ignore:.*`weights_only` was not set.*",
    "ignore:.*isinstance.treespec.*",
    "ignore:Checkpoint directory .* exists and is not empty",
)


def test_commas_inside_brackets_part_no_values() -> None:
    assert parse_axis("loss={bce: 1},{dice: 1, bce: 0.5}") == Axis("loss", ("{bce: 1}", "{dice: 1, bce: 0.5}"))
    assert parse_axis("optimiser.name=sgd,adam") == Axis("optimiser.name", ("sgd", "adam"))


@pytest.mark.parametrize("text", ["loss", "=sgd", "learning_rate=0.1,", "learning_rate=0.1,0.1"])
def test_an_axis_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(PresetError, match="--vary"):
        parse_axis(text)


def test_losses_have_short_names() -> None:
    assert [short_value(v) for v in ("{bce: 1}", "{dice: 1, bce: 0.5}", "0.1", "{}")] == [
        "bce",
        "dice+0.5 bce",
        "0.1",
        "{}",
    ]


def test_a_grid_is_every_combination_and_each_has_its_settings(preset: Preset) -> None:
    trials = plan_trials(preset, [parse_axis("optimiser.name=sgd,adam"), parse_axis("loss={bce: 1},{mse: 1}")])
    assert [trial.name for trial in trials] == [
        "name-sgd_loss-bce",
        "name-sgd_loss-mse",
        "name-adam_loss-bce",
        "name-adam_loss-mse",
    ]
    assert trials[1].preset.optimiser.name == "sgd"
    assert trials[1].preset.loss.weights() == {"mse": 1.0}
    assert trials[1].preset.test == preset.test


def test_zipped_axes_go_together_and_must_be_as_long(preset: Preset) -> None:
    pairs = [parse_axis("learning_rate=0.1,0.2"), parse_axis("epochs=1,2")]
    trials = plan_trials(preset, pairs, zipped=True)
    assert [(t.preset.learning_rate, t.preset.epochs) for t in trials] == [(0.1, 1), (0.2, 2)]
    with pytest.raises(PresetError, match="not learning_rate 2, epochs 1"):
        plan_trials(preset, [pairs[0], Axis("epochs", ("1",))], zipped=True)


def test_without_watched_frames_there_is_no_best(preset: Preset) -> None:
    with pytest.raises(PresetError, match="squares watches nothing, so no setting can be called best"):
        plan_trials(preset.model_copy(update={"validation": []}), [parse_axis("epochs=1,2")])


def test_a_setting_that_no_preset_can_have_is_refused_before_anything_is_trained(preset: Preset) -> None:
    with pytest.raises(PresetError, match=r"optimiser\.name"):
        plan_trials(preset, [parse_axis("optimiser.name=adam,lion")])


def test_the_watched_value_is_that_of_the_epoch_that_would_be_exported(preset: Preset) -> None:
    history = [{"epoch": "0", "val_dice": "0.9"}, {"epoch": "1", "val_dice": "0.7"}]
    assert selected_epoch(history, preset)["epoch"] == "1"
    assert selected_epoch(history, preset.model_copy(update={"selection": "best"}))["epoch"] == "0"


def test_a_diverging_trial_is_recorded_and_the_sweep_goes_on(datasets: Path, tmp_path: Path, preset: Preset) -> None:
    axes = [parse_axis("learning_rate=1e+30,0.001"), parse_axis("loss={bce: 1}")]
    study = _study(small(preset), axes, datasets, tmp_path / "sweep")
    study.train()
    content = write_report(study, "val_dice")
    diverged, good = content["trials"]
    assert (diverged["state"], good["state"]) == ("failed", "trained")
    assert "lower the learning rate" in diverged["error"]
    assert (diverged["best"], good["best"]) == (False, True)
    assert good["watched"] == good["history"]["val_dice"]
    assert json.loads((tmp_path / "sweep" / "sweep.json").read_text()) == content
    with (tmp_path / "sweep" / "sweep.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["learning_rate"], row["loss"], row["state"]) for row in rows] == [
        ("1e+30", "{bce: 1}", "failed"),
        ("0.001", "{bce: 1}", "trained"),
    ]
    assert "| **0.001** | **bce** |" in (tmp_path / "sweep" / "sweep.md").read_text()
    assert (tmp_path / "sweep" / "sweep.png").stat().st_size > 1000
    times = _written(tmp_path / "sweep")
    _study(small(preset), axes, datasets, tmp_path / "sweep").train()
    assert _written(tmp_path / "sweep") == times


def test_a_trained_trial_without_the_watched_column_is_refused(datasets: Path, tmp_path: Path, preset: Preset) -> None:
    axes = [parse_axis("learning_rate=0.001")]
    study = _study(small(preset), axes, datasets, tmp_path / "sweep")
    folder = write_run(study.runs.run_folder("learning_rate-0.001"), study.trials[0].preset)
    (folder / "history.csv").write_text("epoch,train_loss,val_dice,seconds\n0,0.5,0.8,2.5\n")
    write_text(tmp_path / "sweep" / "status" / "learning_rate-0.001.json", '{"name": "x", "state": "trained"}')
    assert study.rows("val_dice")[0]["watched"] == 0.8
    assert study.rows("train_loss")[0]["watched"] == 0.5
    with pytest.raises(PresetError, match="val_miou was not watched; the history holds train_loss, val_dice"):
        study.rows("val_miou")


def test_of_losses_the_lowest_is_best(datasets: Path, tmp_path: Path, preset: Preset) -> None:
    study = _study(small(preset), [parse_axis("learning_rate=0.1,0.2")], datasets, tmp_path / "sweep")
    for trial, loss in zip(study.trials, ("0.3", "0.4"), strict=True):
        folder = write_run(study.runs.run_folder(trial.name), trial.preset)
        (folder / "history.csv").write_text(f"epoch,val_loss,val_dice,seconds\n0,{loss},{loss},2.5\n")
        write_text(tmp_path / "sweep" / "status" / f"{trial.name}.json", '{"name": "x", "state": "trained"}')
    assert [row["best"] for row in study.rows("val_loss")] == [True, False]
    assert [row["best"] for row in study.rows("val_dice")] == [False, True]


def test_the_command_plans_and_reports_without_training(datasets: Path, tmp_path: Path, preset: Preset) -> None:
    path = tmp_path / "small.yaml"
    path.write_text(yaml.safe_dump(small(preset).model_dump(mode="json")))
    arguments = ["sweep", str(path), "--vary", "optimiser.name=sgd,adam", "--data", str(datasets), "--report-only"]
    result = CliRunner().invoke(app, [*arguments, "--folder", str(tmp_path / "sweep")])
    assert result.exit_code == 0, result.output
    rows = json.loads((tmp_path / "sweep" / "sweep.json").read_text())["trials"]
    assert [(row["settings"], row["state"]) for row in rows] == [
        ({"optimiser.name": "sgd"}, "waiting"),
        ({"optimiser.name": "adam"}, "waiting"),
    ]


def _study(preset: Preset, axes: list[Axis], datasets: Path, folder: Path) -> Sweep:
    options = RunOptions(datasets, folder, None, workers=0, threads=1, accelerator="cpu")
    return Sweep(preset, axes, plan_trials(preset, axes), options)


def _written(folder: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}
