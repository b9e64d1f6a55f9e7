"""Floor, served and peers: frames a second and milliseconds a frame, in rounds in which all take turns."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

from benchmarks.bench import Bench
from benchmarks.client import Load
from benchmarks.machine import load
from benchmarks.server_timing import around_graph, median_stages, parse
from benchmarks.statistics import latency, turns


@dataclass(frozen=True, slots=True)
class Case:
    """What is asked for, by how many at once."""

    frame: str
    """`854x480`"""
    answer: str
    """`mask` or `json`"""
    clients: int


@dataclass(frozen=True, slots=True)
class Measurement:
    """One contender, one case, one round."""

    contender: str
    case: Case
    round: int
    frames_per_second: float
    latency_ms: dict[str, float]
    stages_ms: dict[str, float] = field(default_factory=dict)
    """Median of each stage, where the contender tells."""
    around_graph_ms: dict[str, float] = field(default_factory=dict)
    failed: dict[str, int] = field(default_factory=dict)
    """Answers other than 200 by status, and broken connections."""
    client_cpu_share: float = 0.0
    """Cores that the load itself used."""
    layout: str = ""
    """How a peer was given the cores; several are measured, and the best counts."""

    def as_dict(self) -> dict[str, Any]:
        described = asdict(self)
        return {**described.pop("case"), **described}


class Contender(Protocol):
    """Something that turns JPEGs into masks."""

    name: str

    def measure(self, round_number: int) -> Iterable[Measurement]:
        """All of its cases. Who raises anything in two rounds is left out of those that follow."""
        ...


@dataclass(slots=True)
class Rounds:
    """What came of all rounds."""

    measurements: list[Measurement] = field(default_factory=list)
    loads: list[dict[str, float]] = field(default_factory=list)
    """Of the machine, before each round."""
    failures: list[dict[str, Any]] = field(default_factory=list)
    """Contenders that could not be measured, and why."""

    def as_dict(self) -> dict[str, Any]:
        return {
            "load_before_rounds": self.loads,
            "failures": self.failures,
            "measurements": [measurement.as_dict() for measurement in self.measurements],
        }


def compare(
    bench: Bench, contenders: list[Contender], keep: Callable[[Rounds], None], rounds: int | None = None
) -> Rounds:
    """Let all take turns; `keep` is given what there is after each one."""
    found, left = Rounds(), list(contenders)
    for number in range(rounds or bench.scale.rounds):
        found.loads.append(load().as_dict())
        for contender in turns(list(left), number):
            bench.say(f"round {number + 1}: {contender.name}")
            try:
                found.measurements += _told(bench, contender.measure(number))
            except Exception as error:  # noqa: BLE001  (others' servers fail in their own ways; the rest is measured)
                bench.say(f"  {contender.name} failed: {error}")
                found.failures.append({"contender": contender.name, "round": number, "error": str(error)[:2000]})
                if sum(failure["contender"] == contender.name for failure in found.failures) > 1:
                    left.remove(contender)
            keep(found)
    return found


def of_load(
    contender: str,
    case: Case,
    round_number: int,
    seen: Load,
    stages: list[dict[str, float]] | None = None,
    layout: str = "",
) -> Measurement:
    """What callers saw -> a measurement. `stages` of each answer, in ms, else what its `Server-Timing` says.

    Raises RuntimeError when they saw no good answer.
    """
    failed = {status: count for status, count in seen.statuses.items() if status != "200"}
    if seen.broken:
        failed["broken"] = seen.broken
    if not seen.milliseconds:
        raise RuntimeError(f"no good answer to {case}: {failed}")
    timings = [parse(header) for header in seen.timings] if stages is None else stages
    return Measurement(
        contender,
        case,
        round_number,
        round(seen.frames_per_second, 2),
        latency(seen.milliseconds),
        median_stages(timings),
        around_graph(zip(seen.milliseconds, timings, strict=True)),
        failed,
        round(seen.cpu_seconds / seen.seconds, 3),
        layout,
    )


def _told(bench: Bench, measurements: Iterable[Measurement]) -> Iterator[Measurement]:
    for entry in measurements:
        case = entry.case
        bench.say(
            f"  {case.frame} {case.answer:4} x{case.clients:<2} {entry.frames_per_second:8.1f} frames/s"
            f"  p50 {entry.latency_ms['p50']:7.2f}  p99 {entry.latency_ms['p99']:7.2f} ms"
            + (f"  {entry.layout}" if entry.layout else "")
            + (f"  failed: {entry.failed}" if entry.failed else "")
        )
        yield entry
