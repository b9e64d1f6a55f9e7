"""Candidates whose speed and answers a test decides: time passes only while one of them runs."""

from collections.abc import Callable

from service.backends.busy import CpuTimes
from service.backends.candidates import Candidate, Opening
from service.backends.choice import Bench
from service.errors import EndomaskError
from service.imaging.geometry import U8
from service.manifest.package import Package
from tests.support.red import FakeBackend


class Scripted(FakeBackend):
    """Takes `milliseconds` of the bench's time a run; `answers` changes what it says."""

    def __init__(self, candidate: Candidate, bench: "ScriptedBench") -> None:
        super().__init__()
        self.name, self.provider = candidate.backend, candidate.provider
        self.precision, self.threads = candidate.precision, candidate.threads
        self._bench = bench

    def run(self, frames: U8) -> U8:
        self._bench.now += self._bench.milliseconds(self) / 1000
        return self._bench.answers.get(f"{self.name} {self.precision}", lambda planes: planes)(super().run(frames))


class ScriptedBench:
    """`times`: milliseconds by `backend precision`, 20 when not given. `fails`: errors that opening raises."""

    def __init__(self, times: dict[str, float] | None = None) -> None:
        self.times = times or {}
        self.answers: dict[str, Callable[[U8], U8]] = {}
        self.fails: dict[str, EndomaskError] = {}
        self.opened: list[str] = []
        self.now = 0.0
        self.others_share = 0.0
        """Part of the cores that others use, as long as time passes here."""
        self.load_per_core = 0.0

    def milliseconds(self, backend: Scripted) -> float:
        """Threads beyond the first cost nothing and gain nothing, unless `times` says so."""
        name = f"{backend.name} {backend.precision}"
        return self.times.get(f"{name} {backend.threads}", self.times.get(name, 20.0))

    @property
    def bench(self) -> Bench:
        return Bench(self._open, lambda: self.now, self._cpu_times, lambda: self.load_per_core)

    def _cpu_times(self) -> CpuTimes:
        return CpuTimes(total=self.now, used=self.now * self.others_share, own=0.0)

    def _open(self, _package: Package, candidate: Candidate, _opening: Opening) -> Scripted:
        name = f"{candidate.backend} {candidate.precision}"
        self.opened.append(f"{name} {candidate.threads}")
        if name in self.fails:
            raise self.fails[name]
        return Scripted(candidate, self)
