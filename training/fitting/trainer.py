"""Lightning's trainer for one run, and the loaders that feed it."""

from pathlib import Path
from typing import Any

import lightning as lt
import torch
from lightning.pytorch.callbacks import EarlyStopping, LearningRateMonitor, ModelCheckpoint, TQDMProgressBar
from lightning.pytorch.loggers import TensorBoardLogger
from torch.utils.data import DataLoader
from typing_extensions import override

from training.config import Preset
from training.config.optimisation import better_when
from training.fitting.checkpoints import BEST, KEY, LAST, describe
from training.fitting.frames import Pair, PlainFrames, TrainingFrames
from training.fitting.history import History
from training.fitting.sampling import EpochSampler, PartSampler, frame_weights

TENSORBOARD = "tensorboard"


class Provenance(lt.Callback):
    """Puts preset, code version and the run started from into every checkpoint; a resumed run keeps the last."""

    def __init__(self, preset: Preset, started_from: str | None) -> None:
        self._content = describe(preset, started_from)

    @override
    def on_load_checkpoint(
        self, trainer: lt.Trainer, pl_module: lt.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        self._content["started_from"] = self._content["started_from"] or checkpoint[KEY].get("started_from")

    @override
    def on_save_checkpoint(
        self, trainer: lt.Trainer, pl_module: lt.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        checkpoint[KEY] = self._content


def build_trainer(
    preset: Preset,
    folder: Path,
    *,
    watched: bool,
    accelerator: str,
    devices: int | str,
    tensorboard: bool,
    started_from: str | None,
) -> lt.Trainer:
    """Several devices train together (DDP, chosen by Lightning); each takes `batch_size` frames a step."""
    callbacks: list[lt.Callback] = [
        History(folder),
        Provenance(preset, started_from),
        TQDMProgressBar(refresh_rate=10),
        *_checkpoints(folder, watched=watched),
    ]
    if preset.early_stopping:
        stop = preset.early_stopping
        callbacks.append(
            EarlyStopping(
                stop.monitor,
                min_delta=stop.min_delta,
                patience=stop.patience,
                mode=better_when(stop.monitor),
                check_on_train_epoch_end=True,
            )
        )
    if tensorboard:
        callbacks.append(LearningRateMonitor(logging_interval="epoch"))
    several = devices not in {1, "1"}
    return lt.Trainer(
        accelerator=accelerator,
        devices=devices,
        precision=choose_precision(accelerator),  # type: ignore[arg-type]
        max_epochs=preset.epochs,
        accumulate_grad_batches=preset.accumulate,
        callbacks=callbacks,
        logger=TensorBoardLogger(folder, name="", version=TENSORBOARD) if tensorboard else False,
        gradient_clip_val=1.0,
        log_every_n_steps=1,  # epochs are what is logged; a higher number warns of short ones
        num_sanity_val_steps=0,
        enable_model_summary=False,
        use_distributed_sampler=False,  # ours know their process
        sync_batchnorm=several and _on_gpu(accelerator),
    )


def training_loader(pairs: list[Pair], preset: Preset, processes: int, workers: int) -> DataLoader[Any]:
    """Batches of augmented frames; the last one, where it is smaller, is left out."""
    masks = (mask for _, mask in pairs)
    weights = frame_weights(masks, len(preset.classes), preset.sampling.rare_classes)
    return DataLoader(
        TrainingFrames(pairs, preset),
        batch_size=preset.batch_size,
        sampler=EpochSampler(len(pairs), preset.seed, weights),
        drop_last=len(pairs) >= preset.batch_size * processes,
        num_workers=workers,
        persistent_workers=workers > 0,
    )


def plain_loader(pairs: list[Pair], preset: Preset) -> DataLoader[Any]:
    return DataLoader(PlainFrames(pairs), batch_size=preset.batch_size, sampler=PartSampler(len(pairs)))


def choose_precision(accelerator: str) -> str:
    """bfloat16 where the device computes in it, else float32."""
    if _on_gpu(accelerator):
        return "bf16-mixed" if torch.cuda.is_bf16_supported() else "16-mixed"
    fast = torch.backends.mkldnn.is_available() and torch.ops.mkldnn._is_mkldnn_bf16_supported()  # type: ignore[no-untyped-call]
    return "bf16-mixed" if fast else "32-true"


def _on_gpu(accelerator: str) -> bool:
    return accelerator in {"auto", "gpu", "cuda"} and torch.cuda.is_available()


def _checkpoints(folder: Path, *, watched: bool) -> list[ModelCheckpoint]:
    """The last epoch's, and where there is something to watch that of the best validation Dice."""
    last = ModelCheckpoint(folder, filename=Path(LAST).stem, save_on_train_epoch_end=True, enable_version_counter=False)
    if not watched:
        return [last]
    best = ModelCheckpoint(
        folder,
        filename=Path(BEST).stem,
        monitor="val_dice",
        mode="max",
        save_on_train_epoch_end=True,
        enable_version_counter=False,
    )
    return [last, best]
