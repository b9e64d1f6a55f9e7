"""How far an exported file is from PyTorch: in value, in class, and in Dice."""

from dataclasses import dataclass

import numpy as np

from service.backends import Backend
from service.imaging.geometry import U8
from service.manifest.agreement import Agreement, agreement
from service.manifest.entries import Parity
from service.manifest.record import Score
from training.errors import ExportError

BATCH_SIZES = (1, 3)

MAX_DIFFERENCE = 2
"""Largest uint8 step between PyTorch and the exported file: rounding may differ by one, sums by a little more."""
MAX_CHANGED_SHARE = 0.0005
"""Largest share of pixels that may change class."""


@dataclass(frozen=True)
class Tolerance:
    difference: int = MAX_DIFFERENCE
    changed_share: float = MAX_CHANGED_SHARE


TOLERANCE = Tolerance()


def check_parity(torch_backend: Backend, backend: Backend, frames: U8, threshold: float, allowed: Tolerance) -> Parity:
    """Compares both on `frames` uint8 [N, h, w, 3] in batches of 1 and of 3. Raises ExportError above `allowed`."""
    parity = compare(torch_backend, backend, frames, threshold)
    if parity.largest_difference > allowed.difference or parity.changed_share > allowed.changed_share:
        raise ExportError(
            f"{backend.name} {backend.precision} differs from PyTorch by {parity.largest_difference} of 255 "
            f"(allowed {allowed.difference}) and changes the class of {parity.changed_share:.4%} of the pixels "
            f"(allowed {allowed.changed_share:.4%})"
        )
    return parity


def compare(torch_backend: Backend, backend: Backend, frames: U8, threshold: float) -> Parity:
    """Of the FP32 file: the worse of batches of 1 and of 3."""
    found: list[Agreement] = []
    for size in BATCH_SIZES:
        batches = [frames[i : i + size] for i in range(0, len(frames), size)]
        expected = np.concatenate([torch_backend.run(batch) for batch in batches])
        actual = np.concatenate([backend.run(batch) for batch in batches])
        found.append(agreement(expected, actual, threshold))
    return Parity(
        precision="fp32",
        backend=f"{backend.name}-{backend.provider}",
        batch_sizes=list(BATCH_SIZES),
        frames=len(frames),
        largest_difference=max(entry.largest_difference for entry in found),
        changed_share=max(entry.changed_share for entry in found),
    )


def largest_gap(scores: list[Score], by_torch: list[Score]) -> float:
    """Dice of the file minus Dice of PyTorch, on the test set where they differ most."""
    gaps = [a.dice - b.dice for a, b in zip(scores, by_torch, strict=True)]
    return round(max(gaps) if max(gaps) >= -min(gaps) else min(gaps), 6)
