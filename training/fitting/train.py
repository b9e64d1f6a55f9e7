"""One training run: data in memory, Lightning's loop, checkpoints, history, and what it is worth in the end."""

import os
from dataclasses import dataclass
from pathlib import Path

import lightning as lt
import torch
from lightning.pytorch.utilities import rank_zero_only

from training.config import Preset
from training.errors import TrainingError
from training.fitting.checkpoints import BEST, LAST, load_trained, selected_checkpoint, take_weights
from training.fitting.frames import Pair, load_pairs, load_test_pairs
from training.fitting.module import SegmentationModule
from training.fitting.outcome import draw_predictions, write_test
from training.fitting.trainer import build_trainer, plain_loader, training_loader
from training.losses.weights import class_weights
from training.nets.input_size import check_input_size
from training.nets.segmentation import SegmentationNet, build_net


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
    devices: int | str = 1
    """Number of devices that train together, or `auto` for all."""
    tensorboard: bool = False
    test: bool = False
    """Score the selected weights on the preset's test sets when the run ends."""


def train(preset: Preset, options: RunOptions) -> Path:
    """Runs all epochs and returns the checkpoint that the preset selects. Raises TrainingError, DatasetError."""
    last = options.folder / LAST
    if options.resume and not last.is_file():
        raise TrainingError(f"nothing to resume: {last} is missing")
    options.folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(options.threads or len(os.sched_getaffinity(0)))
    lt.seed_everything(preset.seed, workers=True, verbose=False)
    net = _first_net(preset, options)
    check_input_size(net, preset.input.height, preset.input.width)
    training, validation = load_pairs(preset, options.datasets)
    module = _module(net, preset, training)
    trainer = build_trainer(
        preset,
        options.folder,
        watched=bool(validation),
        accelerator=options.accelerator,
        devices=options.devices,
        tensorboard=options.tensorboard,
        started_from=None if options.start_from is None else _run_name(options.start_from),
    )
    batches = training_loader(training, preset, trainer.world_size, options.workers)
    watched = plain_loader(validation, preset) if validation else None
    _say(f"{len(training)} frames an epoch, {len(validation)} to watch, {preset.epochs} epochs -> {options.folder}")
    trainer.fit(module, batches, watched, ckpt_path=str(last) if options.resume else None)
    selected = last if preset.selection == "last" else options.folder / BEST
    if validation:
        _draw(options.folder, selected, validation)
    if options.test:
        _test(trainer, module, selected, options)
    _say(f"done: {selected}")
    return selected


def _run_name(start: Path) -> str:
    """The run's folder, also where one of its checkpoints was named; with its study, where it is one of its nets."""
    run = start.resolve() if start.is_dir() else start.resolve().parent
    return f"{run.parent.name}/{run.name}" if (run.parent / "crossval.json").is_file() else run.name


def _module(net: SegmentationNet, preset: Preset, training: list[Pair]) -> SegmentationModule:
    weights = class_weights(preset, (mask for _, mask in training))
    if weights is not None:
        named = ", ".join(f"{c.name} {w:.3g}" for c, w in zip(preset.classes, weights, strict=True))
        _say(f"class weights: {named}")
    return SegmentationModule(net.to(memory_format=torch.channels_last), preset, weights)


def _first_net(preset: Preset, options: RunOptions) -> SegmentationNet:
    if options.resume:
        return build_net(preset.net, preset.channels, pretrained=None)
    if options.start_from is None:
        return build_net(preset.net, preset.channels, options.encoder_weights)
    net = build_net(preset.net, preset.channels, pretrained=None)
    taken, left = take_weights(net, load_trained(selected_checkpoint(options.start_from)).net)
    _say(f"{taken} tensors from {options.start_from}, {left} fresh")
    return net


@rank_zero_only
def _draw(folder: Path, selected: Path, validation: list[Pair]) -> None:
    draw_predictions(folder, load_trained(selected), validation)


def _test(trainer: lt.Trainer, module: SegmentationModule, selected: Path, options: RunOptions) -> None:
    pairs = load_test_pairs(module.preset, options.datasets)
    trainer.test(module, plain_loader(pairs, module.preset), ckpt_path=str(selected), verbose=False)
    if module.tested is not None and trainer.is_global_zero:
        found = module.tested
        write_test(options.folder, module.preset, selected, found)
        scores = f"Dice {found.dice:.4f}, mean IoU {found.miou:.4f}, accuracy {found.accuracy:.4f}"
        _say(f"test ({found.n} frames): {scores}")


@rank_zero_only
def _say(text: str) -> None:
    print(text)
