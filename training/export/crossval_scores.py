"""Reads the scores of a cross-validation for a manifest."""

import json
from pathlib import Path

from pydantic import ValidationError

from service.manifest.record import CrossvalScore
from training.errors import ExportError


def read_crossval(path: Path) -> list[CrossvalScore]:
    """One score a fold and class of `crossval.json`. Raises ExportError that names the file."""
    try:
        folds = json.loads(path.read_bytes())["folds"]
        scores = [
            CrossvalScore(
                group=fold["name"],
                class_name=name,
                n=fold["n"],
                dice=round(values["dice"]["value"], 4),
                iou=round(values["iou"]["value"], 4),
            )
            for fold in folds
            for name, values in fold["classes"].items()
        ]
    except OSError as error:
        raise ExportError(f"cross-validation {path} can't be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, ValidationError) as error:
        raise ExportError(f"{path} is no crossval.json of `training crossval`: {error!r}") from error
    if not scores:
        raise ExportError(f"{path} holds no trained fold")
    return scores
