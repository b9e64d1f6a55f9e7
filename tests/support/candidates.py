"""Candidates whose speed and answers a test decides: time passes only while one of them runs."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from service.backends.busy import CpuTimes
from service.backends.candidates import Candidate, Opening
from service.backends.trial import Bench
from service.errors import EndomaskError
from service.imaging.geometry import U8
from service.manifest.package import Package
from service.settings import Settings
from tests.support.red import FakeBackend


class Scripted(FakeBackend):
    """Takes `milliseconds` of the bench's time a run; `answers` changes what it says."""

    def __init__(self, candidate: Candidate, bench: "ScriptedBench") -> None:
        super().__init__()
        self.name, self.provider = candidate.backend, candidate.provider
        self.precision, self.threads = candidate.precision, candidate.threads
        self.lanes = candidate.lanes
        self._bench = bench

    def run(self, frames: U8) -> U8:
        with self._bench.passing:
            self._bench.now += self._bench.milliseconds(self) / 1000
        name = f"{self.name} {self.precision}"
        answers = self._bench.answers
        return answers.get(f"{name} {_division(self)}", answers.get(name, _as_it_is))(super().run(frames))


class ScriptedBench:
    """`times`: milliseconds by `backend precision`, 20 when not given. `fails`: errors that opening raises.

    `openvino int8 1 x2` are two lanes of a thread each, `openvino int8 2` is one run on two.
    """

    def __init__(self, times: dict[str, float] | None = None) -> None:
        self.times = times or {}
        self.answers: dict[str, Callable[[U8], U8]] = {}
        self.fails: dict[str, EndomaskError] = {}
        self.opened: list[str] = []
        self.now = 0.0
        self.passing = threading.Lock()
        self.others_share = 0.0
        """Part of the cores that others use, as long as time passes here."""
        self.load_per_core = 0.0

    def milliseconds(self, backend: Scripted) -> float:
        """Threads beyond the first and lanes cost nothing and gain nothing, unless `times` says so."""
        name = f"{backend.name} {backend.precision}"
        return self.times.get(f"{name} {_division(backend)}", self.times.get(name, 20.0))

    @property
    def bench(self) -> Bench:
        return Bench(self._open, lambda: self.now, self._cpu_times, lambda: self.load_per_core)

    def _cpu_times(self) -> CpuTimes:
        return CpuTimes(total=self.now, used=self.now * self.others_share, own=0.0)

    def _open(self, _package: Package, candidate: Candidate, _opening: Opening) -> Scripted:
        name = f"{candidate.backend} {candidate.precision}"
        self.opened.append(f"{name} {_division(candidate)}")
        if name in self.fails:
            raise self.fails[name]
        return Scripted(candidate, self)


def asked(folder: Path, **wishes: Any) -> Settings:
    """INT8 on two threads, unless a test wishes something else."""
    return Settings(data_dir=folder / "data", **{"threads": 2, "precision": "int8", **wishes})


def blind(planes: U8) -> U8:
    """An answer that sees nothing."""
    return np.zeros_like(planes)


def _division(of: Scripted | Candidate) -> str:
    return f"{of.threads} x{of.lanes}" if of.lanes > 1 else f"{of.threads}"


def _as_it_is(planes: U8) -> U8:
    return planes
