"""One training run: data in memory, Lightning's loop, checkpoints, history."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning as lt
import torch
from lightning.pytorch.callbacks import ModelCheckpoint, TQDMProgressBar
from torch.utils.data import DataLoader
from typing_extensions import override

from training.checkpoints import BEST, KEY, LAST, describe, load_trained, selected_checkpoint, take_weights
from training.config import Preset
from training.errors import TrainingError
from training.frames import PlainFrames, TrainingFrames, load_pairs
from training.history import History
from training.module import SegmentationModule
from training.nets import SegmentationNet, build_net


@dataclass(frozen=True)
class RunOptions:
    """What may differ between machines without changing the experiment."""

    datasets: Path
    folder: Path
    encoder_weights: Path | str | None = "hub"
    start_from: Path | None = None
    """Run or checkpoint whose averaged weights the net starts from, where names and shapes agree."""
    resume: bool = False
    workers: int = 1
    threads: int | None = None
    accelerator: str = "auto"


class Provenance(lt.Callback):
    """Puts preset and code version into every checkpoint."""

    def __init__(self, preset: Preset) -> None:
        self._content = describe(preset)

    @override
    def on_save_checkpoint(
        self, trainer: lt.Trainer, pl_module: lt.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        checkpoint[KEY] = self._content


def train(preset: Preset, options: RunOptions) -> Path:
    """Runs all epochs and returns the checkpoint that the preset selects. Raises TrainingError, DatasetError."""
    last = options.folder / LAST
    if options.resume and not last.is_file():
        raise TrainingError(f"nothing to resume: {last} is missing")
    options.folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(options.threads or len(os.sched_getaffinity(0)))
    lt.seed_everything(preset.seed, workers=True, verbose=False)
    training, validation = load_pairs(preset, options.datasets)
    net = _first_net(preset, options)
    module = SegmentationModule(net.to(memory_format=torch.channels_last), preset)
    batches = _loader(TrainingFrames(training, preset), preset, options, shuffle=True)
    watched = _loader(PlainFrames(validation), preset, options, shuffle=False) if validation else None
    print(f"{len(training)} frames an epoch, {len(validation)} to watch, {preset.epochs} epochs -> {options.folder}")
    trainer = _trainer(preset, options, watched=bool(validation))
    trainer.fit(module, batches, watched, ckpt_path=str(last) if options.resume else None)
    return last if preset.selection == "last" else options.folder / BEST


def _first_net(preset: Preset, options: RunOptions) -> SegmentationNet:
    if options.resume:
        return build_net(preset.net, preset.channels, pretrained=None)
    if options.start_from is None:
        return build_net(preset.net, preset.channels, options.encoder_weights)
    net = build_net(preset.net, preset.channels, pretrained=None)
    taken, left = take_weights(net, load_trained(selected_checkpoint(options.start_from)).net)
    print(f"{taken} tensors from {options.start_from}, {left} fresh")
    return net


def choose_precision(accelerator: str) -> str:
    """bfloat16 where the device computes in it, else float32."""
    if accelerator in {"auto", "gpu", "cuda"} and torch.cuda.is_available():
        return "bf16-mixed" if torch.cuda.is_bf16_supported() else "16-mixed"
    fast = torch.backends.mkldnn.is_available() and torch.ops.mkldnn._is_mkldnn_bf16_supported()  # type: ignore[no-untyped-call]
    return "bf16-mixed" if fast else "32-true"


def _loader(frames: Any, preset: Preset, options: RunOptions, *, shuffle: bool) -> DataLoader[Any]:
    return DataLoader(
        frames,
        batch_size=preset.batch_size,
        shuffle=shuffle,
        drop_last=shuffle and len(frames) >= preset.batch_size,
        num_workers=options.workers if shuffle else 0,
        persistent_workers=shuffle and options.workers > 0,
    )


def _trainer(preset: Preset, options: RunOptions, *, watched: bool) -> lt.Trainer:
    checkpoints = [
        ModelCheckpoint(options.folder, filename="last", save_on_train_epoch_end=True, enable_version_counter=False)
    ]
    if watched:
        best = ModelCheckpoint(
            options.folder,
            filename="best",
            monitor="val_dice",
            mode="max",
            save_on_train_epoch_end=True,
            enable_version_counter=False,
        )
        checkpoints.append(best)
    return lt.Trainer(
        accelerator=options.accelerator,
        devices=1,
        precision=choose_precision(options.accelerator),  # type: ignore[arg-type]
        max_epochs=preset.epochs,
        callbacks=[*checkpoints, History(options.folder), Provenance(preset), TQDMProgressBar(refresh_rate=10)],
        logger=False,
        gradient_clip_val=1.0,
        num_sanity_val_steps=0,
        enable_model_summary=False,
    )
