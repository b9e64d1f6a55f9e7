"""The Lightning module: loss, optimiser, schedule, and the moving average of the weights that gets validated."""

import math
from typing import Any

import lightning as lt
import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel
from typing_extensions import override

from training.config import Preset
from training.losses import segmentation_loss
from training.nets import SegmentationNet, depthwise_in_float32


class SegmentationModule(lt.LightningModule):
    """Trains `net`; validates and exports `averaged`, which changes less from step to step and scores higher."""

    def __init__(self, net: SegmentationNet, preset: Preset) -> None:
        super().__init__()
        self.preset = preset
        self.net = net
        self.averaged = AveragedModel(net, avg_fn=self._average, use_buffers=True)
        self._frame_dice: list[Tensor] = []

    @override
    def on_fit_start(self) -> None:
        if self.device.type == "cpu":
            depthwise_in_float32(self.net)

    @override
    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        images, masks = batch
        logits = self.net(images.contiguous(memory_format=torch.channels_last))
        loss = segmentation_loss(logits, masks.long(), self.preset.loss)
        if not torch.isfinite(loss):
            raise FloatingPointError(f"the loss is {loss.item()} at step {self.global_step}; lower the learning rate")
        self.log("train_loss", loss, prog_bar=True, on_step=False, on_epoch=True, batch_size=len(images))
        return loss

    @override
    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        self.averaged.update_parameters(self.net)

    @override
    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        images, masks = batch
        logits = self.averaged(images.contiguous(memory_format=torch.channels_last)).float()
        loss = segmentation_loss(logits, masks.long(), self.preset.loss)
        self.log("val_loss", loss, batch_size=len(images))
        self._frame_dice.append(frame_dice(labels(logits, self.preset.threshold), masks, self.preset.channels))

    @override
    def on_validation_epoch_end(self) -> None:
        self.log("val_dice", torch.cat(self._frame_dice).mean(), prog_bar=True)
        self._frame_dice.clear()

    @override
    def configure_optimizers(self) -> Any:
        preset = self.preset
        encoder = list(self.net.body.get_submodule("encoder").parameters())
        known = {id(parameter) for parameter in encoder}
        fresh = [parameter for parameter in self.net.parameters() if id(parameter) not in known]
        rate = preset.learning_rate
        groups = [{"params": encoder, "lr": rate * preset.encoder_rate_factor}, {"params": fresh, "lr": rate}]
        optimizer = torch.optim.AdamW(groups, weight_decay=preset.weight_decay)
        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, self._rate_share)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def _rate_share(self, step: int) -> float:
        """Linear warm-up, then half a cosine down to 1 % of the rate."""
        total = max(1, int(self.trainer.estimated_stepping_batches))
        warmup = max(1, round(total * self.preset.warmup_share))
        if step < warmup:
            return (step + 1) / warmup
        progress = min(1.0, (step - warmup) / max(1, total - warmup))
        return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * progress))

    def _average(self, averaged: Tensor, current: Tensor, count: Tensor | int) -> Tensor:
        """Exponential; the decay grows from 0.1 so that random first weights are soon forgotten."""
        if not averaged.is_floating_point():
            return current
        decay = min(self.preset.average_decay, (1 + float(count)) / (10 + float(count)))
        return averaged + (current - averaged) * (1 - decay)


def labels(logits: Tensor, threshold: float) -> Tensor:
    """Logits [N, C, H, W] -> class ids [N, H, W]."""
    if logits.shape[1] == 1:
        return (logits[:, 0].sigmoid() >= threshold).long()
    return logits.argmax(dim=1)


def frame_dice(predicted: Tensor, truth: Tensor, channels: int) -> Tensor:
    """Mean Dice over the foreground classes of each frame, [N]; 1 for a class that neither holds."""
    scores = []
    for class_id in range(1, max(2, channels)):
        p, t = predicted == class_id, truth == class_id
        sizes = p.sum(dim=(1, 2)) + t.sum(dim=(1, 2))
        scores.append(torch.where(sizes == 0, 1.0, 2 * (p & t).sum(dim=(1, 2)) / sizes.clamp(min=1)))
    return torch.stack(scores).mean(dim=0)
