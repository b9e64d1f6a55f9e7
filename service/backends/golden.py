"""Whether a backend gives the masks that the package's golden outputs give."""

from dataclasses import dataclass

import numpy as np

from service.backends import Backend, Precision, file_precision
from service.errors import PackageError
from service.imaging.geometry import U8, decide
from service.manifest.agreement import Agreement, agreement
from service.manifest.entries import Parity
from service.manifest.package import Package
from service.manifest.schema import Manifest

BF16_CHANGED_SHARE_LIMIT = 0.005
"""Share of golden pixels that may change class in bfloat16, which keeps float's range and so needs no calibration."""
DICE_LIMIT = 0.98
"""Dice between a class's golden mask and the candidate's, over all golden frames together, where the export did not
measure the pair. An INT8 file that had 0.957 lost 0.019 of Dice on real frames; bfloat16 had 0.998 and lost nothing."""
DICE_LEAST_SHARE = 0.005
"""A class that covers less of the golden pixels is not held to `DICE_LIMIT`: a few pixels decide it."""


@dataclass(frozen=True, slots=True)
class GoldenCheck:
    """How a backend answered the golden frames. `dice` is the worst class's, None where no class covers enough."""

    agreement: Agreement
    dice: float | None
    refused: str | None
    """Why the backend may not serve this package; None when it may."""


GoldenSet = tuple[U8, U8]
"""What `Package.golden` reads, for those who ask more than once: unpacking it takes as long as a few runs."""


def check_golden(package: Package, backend: Backend, golden: GoldenSet | None = None, batch: int = 1) -> GoldenCheck:
    """Run the golden frames in batches, over and over until the last one is full, and judge the masks.

    Raises PackageError when the outputs have another shape, InferenceFailed when the backend fails on a batch.
    """
    frames, expected = package.golden() if golden is None else golden
    order = np.arange(-(-len(frames) // batch) * batch).reshape(-1, batch) % len(frames)
    actual = np.concatenate([backend.run(frames[indexes]) for indexes in order])
    expected = expected[order.ravel()]
    if actual.shape != expected.shape:
        raise PackageError(
            f"{package.label}: golden outputs have shape {expected.shape}, the model gave {actual.shape}"
        )
    found = agreement(expected, actual, package.manifest.threshold)
    dice = worst_dice(expected, actual, package.manifest.threshold)
    return GoldenCheck(found, dice, _refusal(package.manifest, backend, found, dice))


def worst_dice(expected: U8, actual: U8, threshold: float) -> float | None:
    """Probabilities uint8 [N, C, h, w] twice -> the lowest Dice of a foreground class, pooled over the frames.

    Classes below `DICE_LEAST_SHARE` of the expected pixels are left out; None when that leaves none.
    """
    wanted = np.stack([decide(planes, threshold) for planes in expected])
    found = np.stack([decide(planes, threshold) for planes in actual])
    scores = []
    for class_id in range(1, max(2, expected.shape[1])):
        a, b = wanted == class_id, found == class_id
        if a.mean() >= DICE_LEAST_SHARE:
            scores.append(2 * np.sum(a & b) / (np.sum(a) + np.sum(b)))
    return float(min(scores)) if scores else None


def _refusal(manifest: Manifest, backend: Backend, found: Agreement, dice: float | None) -> str | None:
    """The export's own measurement on held-out frames goes before what a few golden frames say."""
    precision: Precision = backend.precision  # type: ignore[assignment]
    where = f"{backend.name}-{backend.provider}"
    measured = _measured(manifest, precision, where)
    if measured is not None and not measured.holds:
        lost = "its Dice was not measured" if measured.dice_difference is None else f"{measured.dice_difference:+.3f}"
        return f"it lost too much Dice on held-out frames when the package was exported ({lost})"
    limit = manifest.golden_limit(file_precision(precision), where)
    if precision == "bf16":
        limit = max(limit, BF16_CHANGED_SHARE_LIMIT)
    if found.changed_share > limit:
        return f"{found.changed_share:.2%} of the golden pixels change class; the limit is {limit:.2%}"
    if measured is None and dice is not None and dice < DICE_LIMIT:
        return f"the golden masks have a Dice of {dice:.3f} with it; the limit is {DICE_LIMIT}"
    return None


def _measured(manifest: Manifest, precision: Precision, where: str) -> Parity | None:
    return next((entry for entry in manifest.parity if (entry.precision, entry.backend) == (precision, where)), None)
