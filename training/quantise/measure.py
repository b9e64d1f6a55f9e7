"""What a precision costs and gains on one backend: parity with PyTorch, Dice on held-out frames, time beside FP32."""

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from service.backends import Backend
from service.imaging.geometry import U8, decide
from service.manifest.agreement import Agreement, agreement
from service.manifest.entries import Parity, PrecisionName
from service.manifest.package import Package
from service.manifest.record import Score
from training.config import Preset
from training.datasets.reading import Dataset
from training.datasets.selection import select
from training.errors import ExportError
from training.evaluate.scoring import evaluate
from training.export.backends import Opener, machine_facts

BATCH_SIZES = (1, 3)
WARM_UP_RUNS = 2

Tick = Callable[[], None]


class SideBySide:
    """A backend beside its FP32 twin behind the Backend protocol: every frame goes through both, one after the other.

    What else the machine does meets both alike, so the ratio of their times holds where the times themselves do not.
    """

    def __init__(self, candidate: Backend, fp32: Backend, threshold: float, tick: Tick) -> None:
        self.name, self.provider, self.precision = candidate.name, candidate.provider, candidate.precision
        self.threads = candidate.threads
        self.max_batch = 1
        self.lanes = 1
        self._pair = (candidate, fp32)
        self._threshold = threshold
        self._tick = tick
        self._seconds: list[tuple[float, float]] = []
        self._changed: list[float] = []

    def run(self, frames: U8) -> U8:
        """RGB uint8 [N, h, w, 3] -> the candidate's probabilities uint8 [N, C, h, w]."""
        if not self._seconds:
            for backend in self._pair * WARM_UP_RUNS:
                backend.run(frames)
        order = (0, 1) if len(self._seconds) % 2 else (1, 0)
        seconds, planes = [0.0, 0.0], [frames, frames]
        for i in order:
            started_at = time.perf_counter()
            planes[i] = self._pair[i].run(frames)
            seconds[i] = time.perf_counter() - started_at
        self._seconds.append((seconds[0], seconds[1]))
        self._changed.append(agreement(planes[1], planes[0], self._threshold).changed_share)
        self._tick()
        return planes[0]

    @property
    def relative_time(self) -> float:
        """Median time of the candidate over median time of FP32."""
        candidate, fp32 = np.median(np.array(self._seconds), axis=0)
        return float(candidate / fp32)

    @property
    def changed_share(self) -> float:
        return float(np.mean(self._changed))


def measure(
    package: Package, precision: PrecisionName, open_backend: Opener, preset: Preset, datasets: Path, tick: Tick
) -> Parity:
    """`package` holds the candidate's file and the FP32 file. `tick` is called for every held-out frame."""
    manifest = package.manifest
    candidate = open_backend(package, precision)
    golden = golden_agreement(package, candidate)
    pair = SideBySide(candidate, open_backend(package, "fp32"), manifest.threshold, tick)
    scores = evaluate(pair, manifest, preset, datasets)
    return Parity(
        precision=precision,
        backend=f"{candidate.name}-{candidate.provider}",
        batch_sizes=list(BATCH_SIZES),
        frames=len(package.golden()[0]),
        largest_difference=golden.largest_difference,
        changed_share=golden.changed_share,
        dice_difference=round(worst_loss(scores, manifest.metrics), 6),
        held_out_changed_share=round(pair.changed_share, 6),
        relative_time=round(pair.relative_time, 3),
        machine=machine_facts(),
    )


def golden_agreement(package: Package, backend: Backend) -> Agreement:
    """With PyTorch's answers in golden.npz, in batches of 1 and of 3; the worse of both."""
    frames, expected = package.golden()
    found = []
    for size in BATCH_SIZES:
        actual = np.concatenate([backend.run(frames[i : i + size]) for i in range(0, len(frames), size)])
        found.append(agreement(expected, actual, package.manifest.threshold))
    return Agreement(max(f.largest_difference for f in found), max(f.changed_share for f in found))


def worst_loss(scores: list[Score], of_fp32: list[Score]) -> float:
    """Dice of `scores` minus Dice of FP32, on the data set, group and class where it lost most.

    Raises ExportError when they were not measured on the same frames.
    """
    known = {(s.dataset, s.group, s.class_name, s.n): s.dice for s in of_fp32}
    missing = [
        f"{s.dataset} {s.group} (n = {s.n})" for s in scores if (s.dataset, s.group, s.class_name, s.n) not in known
    ]
    if missing or len(scores) != len(known):
        raise ExportError(
            "the prepared data are not those that the manifest's scores were measured on: "
            f"{', '.join(missing) or 'some'} differ; prepare them again, or export the run again"
        )
    return min(s.dice - known[s.dataset, s.group, s.class_name, s.n] for s in scores)


def held_out_frames(preset: Preset, datasets: Path) -> int:
    return sum(len(select(Dataset(datasets / use.data), use)) for use in preset.test)


def mask_distance(frames: U8, reference: U8, backend: Backend, threshold: float) -> float:
    """1 minus the Dice between the masks of `backend` and those of the probabilities `reference` uint8 [N, C, h, w].

    Over the pixels of all frames together, so that a speck on one frame does not decide; mean over the foreground
    classes that either mask holds; 0 when none does.
    """
    classes = range(1, max(2, reference.shape[1]))
    both, either = np.zeros(len(classes)), np.zeros(len(classes))
    for frame, planes in zip(frames, reference, strict=True):
        expected, found = decide(planes, threshold), decide(backend.run(frame[np.newaxis])[0], threshold)
        both += [np.sum((expected == i) & (found == i)) for i in classes]
        either += [np.sum(expected == i) + np.sum(found == i) for i in classes]
    seen = either > 0
    return float(np.mean(1 - 2 * both[seen] / either[seen])) if seen.any() else 0.0
