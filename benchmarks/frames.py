"""The part of the suite that compares ways from a JPEG to its mask: floor, served, peers, in one run."""

import shutil
from collections.abc import Callable
from typing import Any

from benchmarks.agreement import Reference
from benchmarks.bench import Bench
from benchmarks.contenders import SAME_RUNTIME, Floor, PeerServer, Served, peer_cases, served_cases
from benchmarks.peers.catalogue import PEERS
from benchmarks.peers.layouts import layouts
from benchmarks.statistics import spread
from benchmarks.throughput import Contender, Measurement, Rounds, compare
from service.backends.cores import available_cores

PARTS = ("floor", "served", "peers")
SERVED, SAME = "endomask", "endomask, FP32 in ONNX Runtime"


def measure(bench: Bench, parts: set[str], keep: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    """Those of `PARTS` that are asked for, interleaved; `keep` gets what there is after each turn.

    The backend is chosen anew by the first process, as at a user's first start.
    """
    shutil.rmtree(bench.settings.data_dir, ignore_errors=True)
    reference = Reference.of(bench)
    served = Served(bench, SERVED, served_cases(), reference)
    same = Served(bench, SAME, peer_cases(), reference, **SAME_RUNTIME)
    contenders: list[Contender] = []
    if "floor" in parts:
        contenders.append(Floor(bench, reference))
    if "served" in parts:
        contenders += [served, same]
    if "peers" in parts:
        contenders += [PeerServer(bench, peer, reference, layouts(available_cores())) for peer in PEERS]

    def describe(rounds: Rounds) -> dict[str, Any]:
        active = {entry.name: entry.active for entry in (served, same) if entry.active}
        return {
            "backends": active,
            "dice_with_fp32": reference.dice,
            "titles": {peer.name: f"{peer.title} {peer.version}" for peer in PEERS},
            **rounds.as_dict(),
            "summary": summarise(rounds.measurements),
            "layouts": [line for line in each_layout(rounds.measurements) if line["layout"]],
        }

    return describe(compare(bench, contenders, lambda rounds: keep(describe(rounds))))


def summarise(measurements: list[Measurement]) -> list[dict[str, Any]]:
    """One line for each contender and case: medians over the rounds, with the lowest and highest throughput.

    Of a peer's layouts the one with the highest median.
    """
    lines: dict[Any, dict[str, Any]] = {}
    for line in each_layout(measurements):
        key = tuple(line[name] for name in ("contender", "frame", "answer", "clients"))
        best = lines.get(key)
        if best is None or line["frames_per_second"]["median"] > best["frames_per_second"]["median"]:
            lines[key] = line
    return list(lines.values())


def each_layout(measurements: list[Measurement]) -> list[dict[str, Any]]:
    """One line for each contender, case and layout."""
    groups: dict[Any, list[Measurement]] = {}
    for entry in measurements:
        groups.setdefault((entry.contender, entry.case, entry.layout), []).append(entry)
    return [_line(group) for group in groups.values()]


def _line(group: list[Measurement]) -> dict[str, Any]:
    first = group[0]
    line: dict[str, Any] = {
        "contender": first.contender,
        "frame": first.case.frame,
        "answer": first.case.answer,
        "clients": first.case.clients,
        "layout": first.layout,
        "rounds": len(group),
        "frames_per_second": spread([entry.frames_per_second for entry in group]),
        "client_cpu_share": spread([entry.client_cpu_share for entry in group])["median"],
        "failed": sum(sum(entry.failed.values()) for entry in group),
    }
    for key in ("latency_ms", "stages_ms", "around_graph_ms"):
        columns = [getattr(entry, key) for entry in group]
        line[key] = {name: spread([column[name] for column in columns])["median"] for name in columns[0]}
    return line
