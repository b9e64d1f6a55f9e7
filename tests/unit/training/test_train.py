"""The loop on a tiny data set: checkpoints, resume, history."""

from pathlib import Path

import pytest
import torch

from training.checkpoints import load_trained
from training.config import Preset
from training.errors import TrainingError
from training.history import read_history
from training.train import RunOptions, train

pytestmark = pytest.mark.filterwarnings(
    "ignore:.*does not have many workers.*",
    "ignore:.*`weights_only` was not set.*",
    "ignore:.*isinstance.treespec.*",
    "ignore:Checkpoint directory .* exists and is not empty",
)


def _options(datasets: Path, folder: Path, *, resume: bool = False) -> RunOptions:
    return RunOptions(datasets, folder, encoder_weights=None, resume=resume, workers=0, threads=1, accelerator="cpu")


def test_a_run_leaves_a_checkpoint_that_rebuilds_the_net_by_itself(
    datasets: Path, preset: Preset, tmp_path: Path
) -> None:
    path = train(preset, _options(datasets, tmp_path / "run"))
    trained = load_trained(path)
    assert (trained.preset, trained.epochs) == (preset, 2)
    assert trained.code_version
    with torch.inference_mode():
        logits = trained.net(torch.zeros(1, 3, 32, 64, dtype=torch.uint8))
    assert logits.shape == (1, 1, 32, 64)
    rows = read_history(tmp_path / "run" / "history.csv")
    assert [row["epoch"] for row in rows] == ["0", "1"]
    assert all(row["train_loss"] and row["val_dice"] for row in rows)
    assert (tmp_path / "run" / "history.png").stat().st_size > 1000
    assert (tmp_path / "run" / "best.ckpt").is_file()


def test_a_resumed_run_goes_on_where_it_stopped(datasets: Path, preset: Preset, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    train(preset.model_copy(update={"epochs": 1}), _options(datasets, folder))
    first = torch.load(folder / "last.ckpt", weights_only=True)
    with (folder / "history.csv").open("a") as file:
        file.write("1,9,9,0.9,9,9\n")  # a row of an epoch that was killed before its checkpoint was written
    train(preset, _options(datasets, folder, resume=True))
    second = torch.load(folder / "last.ckpt", weights_only=True)
    assert (first["epoch"], second["epoch"]) == (0, 1)
    assert second["global_step"] == 2 * first["global_step"]
    assert int(second["state_dict"]["averaged.n_averaged"]) == second["global_step"]
    assert [row["epoch"] for row in read_history(folder / "history.csv")] == ["0", "1"]


def test_resuming_nothing_is_refused(datasets: Path, preset: Preset, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"nothing to resume: .*last\.ckpt is missing"):
        train(preset, _options(datasets, tmp_path / "empty", resume=True))
