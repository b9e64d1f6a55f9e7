"""What a precision costs and gains on one backend: parity with PyTorch, Dice on held-out frames, time beside FP32."""

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from service.backends import Backend, Precision
from service.imaging.geometry import U8
from service.manifest.agreement import Agreement, agreement
from service.manifest.entries import Parity
from service.manifest.package import Package
from service.manifest.record import Score
from training.config import Preset
from training.datasets.reading import Dataset
from training.datasets.selection import select
from training.errors import ExportError
from training.evaluate.scoring import evaluate
from training.export.backends import Opener, computes_bf16, machine_facts, measurable_backends

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
    package: Package, precision: Precision, open_backend: Opener, preset: Preset, datasets: Path, tick: Tick
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


def measure_bf16(package: Package, preset: Preset, datasets: Path, tick: Tick = lambda: None) -> list[Parity]:
    """Of the FP32 file in bfloat16, on held-out frames; nothing where this machine does not compute in it."""
    if not computes_bf16():
        return []
    return [measure(package, "bf16", measurable_backends()["openvino-cpu"], preset, datasets, tick)]


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
