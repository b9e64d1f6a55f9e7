"""The manifest of a trained net before anything was measured."""

import dataclasses
from pathlib import Path

from service.manifest.entries import ClassEntry, FileEntry, InputEntry
from service.manifest.record import Licence, Training
from service.manifest.schema import Manifest
from training.fitting.checkpoints import Trained


def draft_manifest(trained: Trained, folder: Path) -> Manifest:
    """For `folder`, models/<name>/<version>; the files, parity and scores are still to come."""
    preset = trained.preset
    nothing = FileEntry(file="none", sha256="0" * 64)
    return Manifest(
        name=preset.name,
        version=int(folder.name),
        task="segmentation",
        classes=[ClassEntry(id=i, name=c.name, colour=c.colour) for i, c in enumerate(preset.classes)],
        input=InputEntry(**dataclasses.asdict(preset.input.spec())),
        threshold=preset.threshold,
        files={"fp32": nothing},
        golden=nothing,
        parity=[],
        training=Training(
            datasets=[use.data for use in preset.train],
            split=", ".join(f"{use.data}: {use.split}" for use in preset.train),
            split_unit=preset.split_unit,
            preset=preset.name,
            seed=preset.seed,
            epochs=trained.epochs,
            code_version=trained.code_version,
            started_from=trained.started_from,
        ),
        metrics=[],
        licence=Licence(weights=preset.card.weights_licence, data=preset.card.data_licence),
        intended_use=preset.card.intended_use,
        limits=preset.card.limits,
        what_helped=preset.card.what_helped,
    )
