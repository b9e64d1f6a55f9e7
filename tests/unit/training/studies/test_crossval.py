"""Leave-one-group-out: what each fold trains on, what it is scored on, and how it goes on after a kill."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from typer.testing import CliRunner

from tests.support.made_runs import small as small_preset
from tests.support.made_runs import write_run
from training.__main__ import app
from training.config import DataUse, Preset
from training.datasets.reading import Dataset
from training.errors import PresetError, TrainingError
from training.export.crossval_scores import read_crossval
from training.fitting.train import RunOptions, train
from training.studies.crossval import CrossValidation, Fold, fold_preset, plan_folds
from training.studies.crossval_report import write_report
from training.studies.leaks import refuse_leaks, used_groups
from training.studies.runset import checkpoint_preset, write_text

pytestmark = pytest.mark.filterwarnings(
    "ignore:.*does not have many workers.*",
    "ignore:.*`weights_only` was not set.*",
    "ignore:.*isinstance.treespec.*",
    "ignore:.*no `val_dataloader`.*",
    "ignore:Checkpoint directory .* exists and is not empty",
)


@pytest.fixture
def small(preset: Preset) -> Preset:
    """One epoch of a small net; g2 is no longer watched, so that every group can be held out."""
    return small_preset(preset, validation=[])


def _options(datasets: Path, folder: Path, start_from: Path | None = None) -> RunOptions:
    return RunOptions(datasets, folder, None, start_from, workers=0, threads=1, accelerator="cpu")


def _study(preset: Preset, datasets: Path, folder: Path, start_from: Path | None = None) -> CrossValidation:
    folds = plan_folds(Dataset(datasets / "squares"), None, preset.seed, ["g0", "g3"])
    return CrossValidation(preset, "squares", folds, _options(datasets, folder, start_from))


def test_leave_one_out_gives_every_group_a_fold_of_its_own(datasets: Path) -> None:
    folds = plan_folds(Dataset(datasets / "squares"), None, seed=1)
    assert folds == [Fold(f"g{i}", (f"g{i}",)) for i in range(4)]


def test_k_folds_hold_whole_groups_each_once(datasets: Path) -> None:
    folds = plan_folds(Dataset(datasets / "squares"), 2, seed=1)
    assert [fold.name for fold in folds] == ["fold1", "fold2"]
    assert sorted(group for fold in folds for group in fold.held_out) == ["g0", "g1", "g2", "g3"]
    assert {len(fold.held_out) for fold in folds} == {2}


def test_more_folds_than_groups_are_refused(datasets: Path) -> None:
    with pytest.raises(PresetError, match="5 folds of 4 groups"):
        plan_folds(Dataset(datasets / "squares"), 5, seed=1)


def test_an_unknown_group_is_named(datasets: Path) -> None:
    with pytest.raises(PresetError, match="no group 'OP9'; it has g0, g1"):
        plan_folds(Dataset(datasets / "squares"), None, 1, ["OP9"])


def test_a_fold_trains_on_all_other_groups_the_test_split_too(datasets: Path, small: Preset) -> None:
    made = fold_preset(small, "squares", Fold("g0", ("g0",)), datasets)
    assert used_groups(made.train, "squares", datasets) == {"g1", "g2", "g3"}
    assert used_groups(made.test, "squares", datasets) == {"g0"}


def test_the_held_out_groups_leave_every_training_part(datasets: Path, small: Preset) -> None:
    parts = [DataUse(data="squares", split="train", repeat=3), DataUse(data="squares", groups=["g0", "g1"], every=2)]
    made = fold_preset(small.model_copy(update={"train": parts}), "squares", Fold("g0", ("g0",)), datasets)
    assert [(use.groups, use.repeat) for use in made.train] == [(["g1", "g2", "g3"], 3), (["g1"], 1)]


def test_watched_groups_stay_watched_and_held_out_ones_are_not_watched(datasets: Path, preset: Preset) -> None:
    other = fold_preset(preset, "squares", Fold("g0", ("g0",)), datasets)
    assert used_groups(other.train, "squares", datasets) == {"g1", "g3"}
    assert used_groups(other.validation, "squares", datasets) == {"g2"}
    same = fold_preset(preset, "squares", Fold("g2", ("g2",)), datasets)
    assert same.validation == []


def test_a_fold_that_holds_out_all_that_chooses_the_epoch_is_refused(datasets: Path, preset: Preset) -> None:
    best = preset.model_copy(update={"selection": "best"})
    with pytest.raises(PresetError, match="fold g2 holds out all that squares watches"):
        fold_preset(best, "squares", Fold("g2", ("g2",)), datasets)


def test_a_preset_without_the_data_set_is_refused(datasets: Path, small: Preset) -> None:
    with pytest.raises(PresetError, match="squares trains on no part of circles; it trains on squares"):
        fold_preset(small, "circles", Fold("g0", ("g0",)), datasets)


def test_a_held_out_frame_under_another_name_of_its_data_set_is_found(datasets: Path, small: Preset) -> None:
    (datasets / "alias").symlink_to(datasets / "squares")
    twice = small.model_copy(update={"train": [*small.train, DataUse(data="alias", split="train")]})
    with pytest.raises(PresetError, match="fold g0 trained on g0 of squares, which it would be scored on"):
        fold_preset(twice, "squares", Fold("g0", ("g0",)), datasets)


def test_a_model_that_has_seen_what_it_would_be_scored_on_is_refused(datasets: Path, preset: Preset) -> None:
    with pytest.raises(PresetError, match="a run trained on g1 of squares, which it would be scored on"):
        refuse_leaks(preset, [DataUse(data="squares", groups=["g1", "g3"])], datasets, "a run")
    refuse_leaks(preset, [DataUse(data="squares", groups=["g3"])], datasets, "a run")


def test_a_start_that_was_trained_on_a_held_out_group_is_refused(datasets: Path, small: Preset, tmp_path: Path) -> None:
    start = write_run(tmp_path / "start", small)
    with pytest.raises(PresetError, match="--start-from start trained on g0 of squares"):
        _study(small, datasets, tmp_path / "folds", start)
    assert not (tmp_path / "folds").exists()


def test_every_fold_is_trained_once_and_scored_by_its_own_model(datasets: Path, small: Preset, tmp_path: Path) -> None:
    study = _study(small, datasets, tmp_path / "folds")
    study.train("g0")
    write_run(tmp_path / "folds" / "g3", study.runs.runs[1].preset)
    write_text(tmp_path / "folds" / "status" / "g3.json", '{"name": "g3", "state": "trained"}')
    counts = study.counts()
    content = write_report(study, counts)
    assert [(fold["name"], fold["held_out"], fold["n"]) for fold in content["folds"]] == [
        ("g0", ["g0"], 2),
        ("g3", ["g3"], 2),
    ]
    assert {name: set(found.groups) for name, found in counts.items()} == {"g0": {"g0"}, "g3": {"g3"}}
    dice = [fold["classes"]["instrument"]["dice"]["value"] for fold in content["folds"]]
    assert content["overall_by_class"]["instrument"]["dice"]["mean"] == pytest.approx(np.mean(dice), abs=1e-4)
    assert [score.group for score in read_crossval(tmp_path / "folds" / "crossval.json")] == ["g0", "g3"]
    assert content["overall"]["dice"]["sd"] == pytest.approx(np.std(dice, ddof=1), abs=1e-4)
    assert json.loads((tmp_path / "folds" / "crossval.json").read_text()) == content
    assert "mean ± sd" in (tmp_path / "folds" / "crossval.md").read_text()
    assert (tmp_path / "folds" / "crossval.png").stat().st_size > 1000
    written = (tmp_path / "folds" / "g0" / "last.ckpt").stat().st_mtime_ns
    _study(small, datasets, tmp_path / "folds").train()
    assert (tmp_path / "folds" / "g0" / "last.ckpt").stat().st_mtime_ns == written


def test_an_interrupted_fold_goes_on_from_its_last_checkpoint(datasets: Path, small: Preset, tmp_path: Path) -> None:
    """A killed run leaves `running` in its status file and the epochs that it finished."""
    two = small.model_copy(update={"epochs": 2})
    study = _study(two, datasets, tmp_path / "folds")
    folder = tmp_path / "folds" / "g0"
    train(study.runs.runs[0].preset.model_copy(update={"epochs": 1}), _options(datasets, folder))
    _pretend_it_wanted(folder / "last.ckpt", study.runs.runs[0].preset)
    (tmp_path / "folds" / "status").mkdir()
    (tmp_path / "folds" / "status" / "g0.json").write_text('{"name": "g0", "state": "running"}')
    study.train("g0")
    with (folder / "history.csv").open() as file:
        assert [row["epoch"] for row in csv.DictReader(file)] == ["0", "1"]
    assert torch.load(folder / "last.ckpt", weights_only=True)["epoch"] == 1
    assert study.runs.trained("g0")
    assert not study.runs.trained("g3")


def test_a_folder_of_other_settings_is_refused(datasets: Path, small: Preset, tmp_path: Path) -> None:
    write_run(tmp_path / "folds" / "g0", _study(small, datasets, tmp_path / "folds").runs.runs[0].preset)
    other = small.model_copy(update={"learning_rate": 0.5})
    with pytest.raises(TrainingError, match=r"holds a run with other settings \(learning_rate\)"):
        _study(other, datasets, tmp_path / "folds").train()


def test_the_command_scores_what_is_trained_and_says_which_folds_are_left(
    datasets: Path, small: Preset, tmp_path: Path
) -> None:
    path = tmp_path / "small.yaml"
    path.write_text(yaml.safe_dump(small.model_dump(mode="json")))
    write_run(tmp_path / "folds" / "g0", _study(small, datasets, tmp_path / "folds").runs.runs[0].preset)
    write_text(tmp_path / "folds" / "status" / "g0.json", '{"name": "g0", "state": "trained"}')
    arguments = ["crossval", str(path), "--by", "group", "--data-set", "squares", "--data", str(datasets)]
    arguments += ["--groups", "g0,g3", "--folder", str(tmp_path / "folds"), "--evaluate-only", "--workers", "0"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert "Not trained yet: g3." in result.output


def _pretend_it_wanted(checkpoint: Path, preset: Preset) -> None:
    """Puts the preset of the whole run into the checkpoint of a part of it."""
    content = torch.load(checkpoint, weights_only=True)
    content["endomask"]["preset"] = preset.model_dump(mode="json")
    torch.save(content, checkpoint)
    assert checkpoint_preset(checkpoint) == preset
