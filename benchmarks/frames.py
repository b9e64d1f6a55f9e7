"""The part of the suite that compares ways from a JPEG to its mask: floor, served, peers, in one run."""

from collections.abc import Callable
from typing import Any

from benchmarks.agreement import Reference
from benchmarks.bench import Bench
from benchmarks.contenders import SAME_RUNTIME, Floor, PeerServer, Served, peer_cases, served_cases
from benchmarks.peers.catalogue import PEERS
from benchmarks.statistics import spread
from benchmarks.throughput import Contender, Measurement, Rounds, compare

PARTS = ("floor", "served", "peers")
SERVED, SAME = "endomask", "endomask, FP32 in ONNX Runtime"


def measure(bench: Bench, parts: set[str], keep: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    """Those of `PARTS` that are asked for, interleaved; `keep` gets what there is after each turn."""
    reference = Reference.of(bench)
    served = Served(bench, SERVED, served_cases(), reference)
    same = Served(bench, SAME, peer_cases(), reference, **SAME_RUNTIME)
    contenders: list[Contender] = []
    if "floor" in parts:
        contenders.append(Floor(bench))
    if "served" in parts:
        contenders += [served, same]
    if "peers" in parts:
        contenders += [PeerServer(bench, peer, reference) for peer in PEERS]

    def describe(rounds: Rounds) -> dict[str, Any]:
        active = {entry.name: entry.active for entry in (served, same) if entry.active}
        return {
            "backends": active,
            "dice_with_fp32": reference.dice,
            "titles": {peer.name: f"{peer.title} {peer.version}" for peer in PEERS},
            **rounds.as_dict(),
            "summary": summarise(rounds.measurements),
        }

    return describe(compare(bench, contenders, lambda rounds: keep(describe(rounds))))


def summarise(measurements: list[Measurement]) -> list[dict[str, Any]]:
    """One line for each contender and case: medians over the rounds, with the lowest and highest throughput."""
    groups: dict[Any, list[Measurement]] = {}
    for entry in measurements:
        groups.setdefault((entry.contender, entry.case), []).append(entry)
    return [_line(group) for group in groups.values()]


def _line(group: list[Measurement]) -> dict[str, Any]:
    first = group[0]
    line: dict[str, Any] = {
        "contender": first.contender,
        "frame": first.case.frame,
        "answer": first.case.answer,
        "clients": first.case.clients,
        "rounds": len(group),
        "frames_per_second": spread([entry.frames_per_second for entry in group]),
        "failed": sum(sum(entry.failed.values()) for entry in group),
    }
    for key in ("latency_ms", "stages_ms", "around_graph_ms"):
        columns = [getattr(entry, key) for entry in group]
        line[key] = {name: spread([column[name] for column in columns])["median"] for name in columns[0]}
    return line
