"""The loop on a tiny data set: what a run leaves, resume to the bit, every option that changes the loop."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from typer.testing import CliRunner

from tests.support.squares import squares_preset, write_squares
from training.__main__ import app
from training.config import Preset, with_overrides
from training.errors import PresetError, TrainingError
from training.fitting.checkpoints import load_trained
from training.fitting.history import COLUMNS, plot, read_history
from training.fitting.train import RunOptions, train

pytestmark = pytest.mark.filterwarnings(
    "ignore:.*does not have many workers.*",
    "ignore:.*`weights_only` was not set.*",
    "ignore:.*isinstance.treespec.*",
    "ignore:Checkpoint directory .* exists and is not empty",
)
SMALL = ["net={architecture: fpn, encoder: tu-mobilenetv3_small_050}", "augment.paste=0.3"]
"""A net of 0.6 M parameters with dropout, so that a resumed run has to repeat that too."""


def _options(datasets: Path, folder: Path, **changes: object) -> RunOptions:
    fixed = {"encoder_weights": None, "workers": 0, "threads": 1, "accelerator": "cpu"}
    return RunOptions(datasets, folder, **{**fixed, **changes})  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Preset, Path]:
    """Folder, preset and data sets of a run from the command line."""
    root = tmp_path_factory.mktemp("train")
    datasets, run = write_squares(root / "datasets"), root / "run"
    (root / "squares.yaml").write_text(yaml.safe_dump(squares_preset().model_dump(mode="json")))
    settings = [*SMALL, "accumulate=2", "class_weights=auto", "sampling.rare_classes=0.5", "selection=best"]
    arguments = ["train", str(root / "squares.yaml"), "--data", str(datasets), "--run", str(run), "--test"]
    arguments += ["--encoder-weights", "none", "--workers", "0", "--threads", "1", "--accelerator", "cpu"]
    for setting in settings:
        arguments += ["--set", setting]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, f"{result.output} {result.exception}"
    assert "class weights: background" in result.output
    assert f"done: {run / 'best.ckpt'}" in result.output
    return run, with_overrides(squares_preset(), settings), datasets


def test_a_run_leaves_a_checkpoint_that_rebuilds_the_net_by_itself(finished: tuple[Path, Preset, Path]) -> None:
    run, preset, _ = finished
    trained = load_trained(run / "last.ckpt")
    assert (trained.preset, trained.epochs) == (preset, 2)
    assert trained.code_version
    with torch.inference_mode():
        logits = trained.net(torch.zeros(1, 3, 32, 64, dtype=torch.uint8))
    assert logits.shape == (1, 1, 32, 64)
    assert (run / "best.ckpt").is_file()


def test_the_history_holds_scores_of_training_and_validation(finished: tuple[Path, Preset, Path]) -> None:
    rows = read_history(finished[0] / "history.csv")
    assert [row["epoch"] for row in rows] == ["0", "1"]
    assert list(rows[0]) == COLUMNS
    assert all(value != "" for row in rows for value in row.values())
    assert (finished[0] / "history.png").stat().st_size > 1000


def test_the_average_follows_steps_and_not_batches(finished: tuple[Path, Preset, Path]) -> None:
    checkpoint = torch.load(finished[0] / "last.ckpt", weights_only=True)
    assert checkpoint["global_step"] == 2 * 2  # 3 batches an epoch, two a step
    assert int(checkpoint["state_dict"]["averaged.n_averaged"]) == 4


def test_the_test_s_scores_are_those_of_the_selected_weights(finished: tuple[Path, Preset, Path]) -> None:
    from training.fitting.frames import load_test_pairs

    run, preset, datasets = finished
    found = json.loads((run / "test.json").read_text())
    net = load_trained(run / "best.ckpt").net
    right, dice = [], []
    for image, truth in load_test_pairs(preset, datasets):
        with torch.inference_mode():
            logits = net(torch.from_numpy(image).permute(2, 0, 1)[None])
        predicted = (logits.sigmoid() >= 0.5)[0, 0].numpy()
        right.append((predicted == truth).mean())
        dice.append(2 * (predicted & (truth == 1)).sum() / (predicted.sum() + (truth == 1).sum()))
    assert (found["checkpoint"], found["n"]) == ("best.ckpt", 2)
    assert found["accuracy"] == pytest.approx(np.mean(right), abs=0.01)  # bfloat16 while testing
    assert found["dice"] == pytest.approx(np.mean(dice), abs=0.02)
    assert [entry["name"] for entry in found["classes"]] == ["background", "instrument"]
    assert set(found) >= {"loss", "miou", "dice", "accuracy"}


def test_predictions_of_validation_frames_are_drawn(finished: tuple[Path, Preset, Path]) -> None:
    assert (finished[0] / "predictions.png").stat().st_size > 5000
    rows = json.loads((finished[0] / "predictions.json").read_text())["rows"]
    assert len(rows) == 2


def _weights(checkpoint: Path) -> dict[str, torch.Tensor]:
    found: dict[str, torch.Tensor] = torch.load(checkpoint, weights_only=True)["state_dict"]
    return found


@pytest.mark.parametrize("schedule", ["constant", "plateau"])
def test_a_resumed_run_is_an_undisturbed_one_to_the_bit(
    datasets: Path, preset: Preset, tmp_path: Path, schedule: str
) -> None:
    more = [f"schedule={{name: {schedule}, monitor: train_loss, patience: 0}}", "warmup_share=0", "epochs=4"]
    long = with_overrides(preset, [*SMALL, *more])
    short = with_overrides(long, ["epochs=2"])
    train(long, _options(datasets, tmp_path / "whole"))
    train(short, _options(datasets, tmp_path / "parts"))
    with (tmp_path / "parts" / "history.csv").open("a") as file:
        file.write("2" + ",9" * (len(COLUMNS) - 1) + "\n")  # an epoch that was killed before its checkpoint was written
    train(long, _options(datasets, tmp_path / "parts", resume=True))
    whole, parts = _weights(tmp_path / "whole" / "last.ckpt"), _weights(tmp_path / "parts" / "last.ckpt")
    assert [name for name in whole if not torch.equal(whole[name], parts[name])] == []
    rows = [read_history(tmp_path / run / "history.csv") for run in ("whole", "parts")]
    for undisturbed, resumed in zip(*rows, strict=True):
        assert {**undisturbed, "seconds": ""} == {**resumed, "seconds": ""}


def test_resuming_nothing_is_refused(datasets: Path, preset: Preset, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"nothing to resume: .*last\.ckpt is missing"):
        train(preset, _options(datasets, tmp_path / "empty", resume=True))


def test_a_run_that_gets_no_better_stops_and_tensorboard_sees_it(
    datasets: Path, preset: Preset, tmp_path: Path
) -> None:
    stop = "early_stopping={monitor: val_accuracy, patience: 1, min_delta: 1}"  # which no accuracy can gain
    run = tmp_path / "run"
    train(with_overrides(preset, [*SMALL, "epochs=9", stop]), _options(datasets, run, tensorboard=True))
    assert len(read_history(run / "history.csv")) == 2
    (events,) = (run / "tensorboard").glob("events.*")
    assert b"val_dice" in events.read_bytes()


def test_a_size_that_the_net_does_not_take_stops_before_the_data_is_read(preset: Preset, tmp_path: Path) -> None:
    wrong = with_overrides(preset, [*SMALL, "input.height=40"])
    with pytest.raises(PresetError, match=r"input of 40x64 .*: the nearest that it takes are 32x64 and 64x64"):
        train(wrong, _options(tmp_path / "no data", tmp_path / "run"))


def test_the_run_started_from_is_written_down_and_kept(datasets: Path, preset: Preset, tmp_path: Path) -> None:
    small = with_overrides(preset, [*SMALL, "epochs=1"])
    train(small, _options(datasets, tmp_path / "first"))
    train(small, _options(datasets, tmp_path / "second", start_from=tmp_path / "first" / "last.ckpt"))
    assert load_trained(tmp_path / "second" / "last.ckpt").started_from == "first"
    longer = with_overrides(small, ["epochs=2"])
    train(longer, _options(datasets, tmp_path / "second", resume=True))
    assert load_trained(tmp_path / "second" / "last.ckpt").started_from == "first"


def test_a_start_from_a_net_of_a_cross_validation_names_the_study_too(
    datasets: Path, preset: Preset, tmp_path: Path
) -> None:
    small = with_overrides(preset, [*SMALL, "epochs=1"])
    train(small, _options(datasets, tmp_path / "study" / "OP4"))
    (tmp_path / "study" / "crossval.json").write_text("{}")
    train(small, _options(datasets, tmp_path / "second", start_from=tmp_path / "study" / "OP4"))
    assert load_trained(tmp_path / "second" / "last.ckpt").started_from == "study/OP4"


def test_a_history_without_validation_is_drawn(tmp_path: Path) -> None:
    plot([{"epoch": 0, "train_loss": 1.0, "train_dice": 0.2}], tmp_path / "history.png")
    assert (tmp_path / "history.png").is_file()
