"""Two processes train together (DDP) on the CPU, as two GPUs of a machine would."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml

from tests.support import watched_training
from tests.support.squares import squares_preset, write_squares
from tests.support.waiting import until
from tests.support.watched_training import checksum
from training.config import Preset, with_overrides
from training.fitting.checkpoints import load_trained
from training.fitting.frames import load_pairs
from training.fitting.history import read_history

DEADLINE_S = 500
"""Two starts of PyTorch and Lightning: 20 seconds of CPU time, on a busy machine many times that."""
pytestmark = [pytest.mark.e2e, pytest.mark.timeout(DEADLINE_S + 30)]

EPOCHS, PROCESSES = 2, 2


def _preset() -> Preset:
    """Eight frames an epoch, never changed, so that each can be told by its pixels."""
    changes = ["net={architecture: fpn, encoder: tu-mobilenetv3_small_050}", "augment=none", f"epochs={EPOCHS}"]
    return with_overrides(squares_preset(), [*changes, "train=[{data: squares, split: all}]"])


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `datasets`, `run`, and `seen/<rank>.txt`."""
    root = tmp_path_factory.mktemp("devices")
    write_squares(root / "datasets")
    (root / "seen").mkdir()
    (root / "two.yaml").write_text(yaml.safe_dump(_preset().model_dump(mode="json")))
    command = [sys.executable, watched_training.__file__, str(root / "seen"), "train", str(root / "two.yaml")]
    command += ["--data", str(root / "datasets"), "--run", str(root / "run"), "--encoder-weights", "none", "--test"]
    command += ["--workers", "0", "--threads", "1", "--accelerator", "cpu", "--devices", str(PROCESSES)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    ) as process:
        try:
            output, _ = process.communicate(timeout=DEADLINE_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    assert process.returncode == 0, output
    asyncio.run(until(lambda: _is_gone(process.pid)))  # the second process too, which nobody here has started
    return root


def _is_gone(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return True
    return False


def test_every_frame_is_seen_once_an_epoch_by_one_of_the_processes(trained: Path) -> None:
    preset = _preset()
    frames = {checksum(image) for image, _ in load_pairs(preset, trained / "datasets")[0]}
    written = [(trained / "seen" / f"{i}.txt").read_text() for i in range(PROCESSES)]
    parts = [[line.split() for line in text.splitlines()] for text in written]
    batches = len(frames) // (preset.batch_size * PROCESSES)
    assert [[len(batch) for batch in part] for part in parts] == [[preset.batch_size] * batches * EPOCHS] * PROCESSES
    for epoch in range(EPOCHS):
        seen = [name for part in parts for batch in part[epoch * batches :][:batches] for name in batch]
        assert sorted(seen) == sorted(frames)


def test_one_process_writes_one_history_and_one_set_of_checkpoints(trained: Path) -> None:
    run = trained / "run"
    assert sorted(path.name for path in run.glob("*.ckpt")) == ["best.ckpt", "last.ckpt"]
    assert [row["epoch"] for row in read_history(run / "history.csv")] == ["0", "1"]
    checkpoint = torch.load(run / "last.ckpt", weights_only=True)
    assert checkpoint["global_step"] == EPOCHS * 8 // (2 * PROCESSES), "a step takes a batch of each process"


def test_the_weights_rebuild_the_net_and_every_number_is_finite(trained: Path) -> None:
    found = load_trained(trained / "run" / "last.ckpt")
    assert (found.preset, found.epochs) == (_preset(), EPOCHS)
    assert all(torch.isfinite(tensor).all() for tensor in found.net.state_dict().values())
    with torch.inference_mode():
        assert torch.isfinite(found.net(torch.zeros(1, 3, 32, 64, dtype=torch.uint8))).all()


def test_the_test_counts_each_frame_once(trained: Path) -> None:
    assert yaml.safe_load((trained / "run" / "test.json").read_text())["n"] == 2
