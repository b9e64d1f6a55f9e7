"""What made a folder: the model's very file, by checksum, and the input."""

import hashlib
from pathlib import Path
from typing import Any

from training.fitting.checkpoints import selected_checkpoint
from training.models import OpenModel
from training.predict.source import Source

_DIGITS = 12


def identify(model: OpenModel, path: Path, source: Source, frame_step: int) -> dict[str, Any]:
    """Settings that rows and masks of one folder have in common; `path` is what the model was opened from."""
    return {
        "model": model.label,
        "model_sha256": model_sha256(path),
        "input": source.identity,
        "frame_step": frame_step,
        "threshold": model.threshold,
    }


def model_sha256(path: Path) -> str:
    """Of a package's manifest, which holds its files' checksums, or of a run's checkpoint; twelve digits."""
    manifest = path / "manifest.json"
    file = manifest if manifest.is_file() else selected_checkpoint(path)
    return hashlib.sha256(file.read_bytes()).hexdigest()[:_DIGITS]
