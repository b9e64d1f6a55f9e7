"""The Lightning module: one step of training, what is watched after each epoch, and the test at the end."""

from typing import Any

import lightning as lt
import torch
from torch import Tensor
from torch.optim.lr_scheduler import ReduceLROnPlateau
from torch.optim.swa_utils import AveragedModel
from typing_extensions import override

from training.config import Preset
from training.fitting.optimisers import build_optimiser, build_schedule
from training.fitting.sampling import epoch_seed
from training.fitting.tally import Tally, Watched
from training.losses import segmentation_loss
from training.nets.segmentation import SegmentationNet, depthwise_in_float32

Batch = tuple[Tensor, Tensor]


class SegmentationModule(lt.LightningModule):
    """Trains `net`; validates, tests and exports `averaged`, the moving average of its weights."""

    class_weights: Tensor | None

    def __init__(self, net: SegmentationNet, preset: Preset, class_weights: list[float] | None = None) -> None:
        super().__init__()
        self.preset = preset
        self.net = net
        self.averaged = averaged_copy(net, preset.average_decay)
        weights = None if class_weights is None else torch.tensor(class_weights)
        self.register_buffer("class_weights", weights, persistent=False)
        self.tested: Watched | None = None
        self._tallies = {part: Tally(len(preset.classes)) for part in ("train", "val", "test")}
        self._updates = 0

    @override
    def on_fit_start(self) -> None:
        if self.device.type == "cpu":
            depthwise_in_float32(self.net)

    @override
    def on_train_start(self) -> None:
        self._updates = self.global_step

    @override
    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        """Dropout of an epoch hangs on the seed and the epoch alone, so that a resumed run repeats it.

        Not in `on_train_epoch_start`, which Lightning leaves out in the first epoch after a resume.
        """
        if batch_idx == 0:
            torch.manual_seed(epoch_seed(self.preset.seed + self.global_rank, self.current_epoch))

    @override
    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        loss = self._step(self.net, batch, "train")
        if not torch.isfinite(loss):
            raise FloatingPointError(f"the loss is {loss.item()} at step {self.global_step}; lower the learning rate")
        self.log("loss", loss.detach(), prog_bar=True, on_step=True, on_epoch=False, logger=False)
        return loss

    @override
    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        if self.global_step > self._updates:  # not after a batch whose gradient is only gathered
            self.averaged.update_parameters(self.net)
            self._updates = self.global_step
        if self.trainer.is_last_batch:
            self._log("train", self._take("train"))

    @override
    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        self._step(self.averaged, batch, "val")

    @override
    def test_step(self, batch: Batch, batch_idx: int) -> None:
        self._step(self.averaged, batch, "test")

    @override
    def on_train_epoch_end(self) -> None:
        """Steps a plateau here and not in Lightning's loop, which does it only after the checkpoint is written."""
        schedule = self.lr_schedulers()
        if isinstance(schedule, ReduceLROnPlateau):
            schedule.step(self.trainer.callback_metrics[self.preset.schedule.monitor])

    @override
    def on_validation_epoch_end(self) -> None:
        self._log("val", self._take("val"))

    @override
    def on_test_epoch_end(self) -> None:
        self.tested = self._take("test")

    @override
    def configure_optimizers(self) -> Any:
        optimiser = build_optimiser(self.net, self.preset)
        steps = max(1, int(self.trainer.estimated_stepping_batches))
        return {"optimizer": optimiser, "lr_scheduler": build_schedule(optimiser, self.preset, steps)}

    def _step(self, net: SegmentationNet | AveragedModel, batch: Batch, part: str) -> Tensor:
        images, masks = batch
        logits = net(images.contiguous(memory_format=torch.channels_last)).float()
        loss = segmentation_loss(logits, masks.long(), self.preset.loss, self.class_weights)
        self._tallies[part].update(labels(logits.detach(), self.preset.threshold), masks, loss)
        return loss

    def _take(self, part: str) -> Watched:
        """This epoch's scores over the frames of all processes."""
        tally = self._tallies[part]
        mine = tally.state().to(self.device, torch.float32 if self.device.type == "mps" else torch.float64)
        return tally.take(torch.as_tensor(self.trainer.strategy.reduce(mine, reduce_op="sum")).cpu().double())

    def _log(self, part: str, watched: Watched) -> None:
        for name in ("loss", "dice", "miou", "accuracy"):
            value = torch.tensor(getattr(watched, name), dtype=torch.float32)
            key = f"{part}_{name}"
            shown = key == "val_dice"
            self.log(key, value, prog_bar=shown, on_step=False, on_epoch=True, sync_dist=True, batch_size=1)


def averaged_copy(net: SegmentationNet, highest_decay: float) -> AveragedModel:
    """Exponential; the decay grows from 0.1 so that random first weights are soon forgotten."""

    def average(averaged: Tensor, current: Tensor, count: Tensor | int) -> Tensor:
        if not averaged.is_floating_point():
            return current
        decay = min(highest_decay, (1 + float(count)) / (10 + float(count)))
        return averaged + (current - averaged) * (1 - decay)

    return AveragedModel(net, avg_fn=average, use_buffers=True).requires_grad_(requires_grad=False)


def labels(logits: Tensor, threshold: float) -> Tensor:
    """Logits [N, C, H, W] -> class ids [N, H, W], by the rule of `service.imaging.geometry.decide`."""
    if logits.shape[1] == 1:
        return (logits[:, 0].sigmoid() >= threshold).long()
    probability, best = logits.softmax(dim=1).max(dim=1)
    return torch.where(probability >= threshold, best, 0)
