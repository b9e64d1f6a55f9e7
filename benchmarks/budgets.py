"""DESIGN.md's budgets, held against what was measured. One that was not measured is not judged."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.frames import SAME, SERVED
from benchmarks.statistics import ratio

Parts = dict[str, Any]
_SMALL = "854x480"
_MANY = 16
_VIDEO_RATE, _VIDEO_CORES = 50, 2


@dataclass(frozen=True, slots=True)
class Verdict:
    what: str
    budget: str
    measured: float
    unit: str
    holds: bool | None
    """None where there is no budget, or one for another machine than the measured one."""

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def judge(parts: Parts, cores: int) -> list[Verdict]:
    """Every budget whose parts were measured, on a machine with so many cores."""
    return [*_frames(parts), *_videos(parts, cores), *_others(parts)]


def per_round(measurements: list[dict[str, Any]], contender: str, **case: Any) -> dict[int, float]:
    """Frames a second of a contender's case, by round."""
    wanted = {"contender": contender, **case}
    rows = [row for row in measurements if all(row[key] == value for key, value in wanted.items())]
    return {row["round"]: row["frames_per_second"] for row in rows}


def best_per_round(measurements: list[dict[str, Any]], contenders: set[str], **case: Any) -> dict[int, float]:
    """Frames a second of whoever was fastest in each round, in any layout."""
    fastest: dict[int, float] = {}
    for row in measurements:
        if row["contender"] in contenders and all(row[key] == value for key, value in case.items()):
            fastest[row["round"]] = max(fastest.get(row["round"], 0.0), row["frames_per_second"])
    return fastest


def peers_of(measurements: list[dict[str, Any]]) -> set[str]:
    return {row["contender"] for row in measurements} - {"floor", SERVED, SAME}


def _frames(parts: Parts) -> Iterator[Verdict]:
    if "frames" not in parts:
        return
    found = parts["frames"]
    rows = found["measurements"]
    lines = {(row["contender"], row["frame"], row["answer"], row["clients"]): row for row in found["summary"]}
    single = lines.get((SERVED, _SMALL, "mask", 1))
    if single and single["around_graph_ms"]:
        around = single["around_graph_ms"]["client"]
        yield Verdict("all but the graph's run, one client", "under 3 ms", around, "ms", around < 3)
    ours = per_round(rows, SERVED, frame=_SMALL, answer="mask", clients=_MANY)
    alone = per_round(rows, SERVED, frame=_SMALL, answer="mask", clients=1)
    yield from _at_least("16 clients against one", 1.0, _ratio(ours, alone))
    floor = best_per_round(rows, {"floor"}, frame=_SMALL)
    yield from _at_least("16 clients against in-process", 0.9, _ratio(ours, floor))
    yield from _at_least("16 clients against the best peer", 2.0, _against_peers(rows, ours))
    same = _against_peers(rows, per_round(rows, SAME, frame=_SMALL, answer="mask", clients=_MANY))
    if same is not None:
        yield Verdict("the same, both with FP32 in ONNX Runtime", "none", same, "times", None)
    if SERVED in found["dice_with_fp32"]:
        off = round(1 - found["dice_with_fp32"][SERVED], 5)
        yield Verdict("masks against FP32's, example frame: 1 - Dice", "at most 0.005", off, "", off <= 0.005)
    slow = lines.get((SAME, _SMALL, "mask", 1))
    if single and slow and single["stages_ms"] and slow["stages_ms"]:
        graph = round(slow["stages_ms"]["infer"] / single["stages_ms"]["infer"], 3)
        yield from _at_least("the graph against FP32 in ONNX Runtime", 2.0, graph)


def _videos(parts: Parts, cores: int) -> Iterator[Verdict]:
    """The clip with everything that a job makes, and the annotated video alone."""
    told = {"endomask": "1080p video, all results", "endomask-video": "1080p video, the annotated one alone"}
    for line in parts.get("video", {}).get("summary", []):
        if line["way"] in told and line["clip"] == "1920x1080":
            rate = line["frames_per_second"]["median"]
            holds = rate >= _VIDEO_RATE if cores == _VIDEO_CORES else None
            budget = f"at least {_VIDEO_RATE} frames/s on {_VIDEO_CORES} cores"
            yield Verdict(told[line["way"]], budget, rate, "frames/s", holds)


def _others(parts: Parts) -> Iterator[Verdict]:
    if "memory" in parts:
        yield from _at_most("memory, a video ten times as long", 50, parts["memory"]["growth_mb"], "MB")
    if "soak" in parts:
        yield from _at_most("memory over the soak", 50, parts["soak"]["growth_mb"], "MB")
        yield from _at_most("failed requests of the soak", 0, parts["soak"]["failed"])
    if "start" in parts:
        yield from _at_most("ready after `serve`, two models", 3, parts["start"]["seconds"].get("median"), "s")
    if "live" in parts:
        yield from _at_most("live p99 beside a video against without", 2, parts["live"].get("p99_ratio"))
    overload = parts.get("overload", {})
    yield from _at_most("overload: accepted p99 against unloaded", 5, overload.get("p99_ratio"))
    yield from _at_most("overload: refused within", 50, overload.get("refused_p99_ms"), "ms")
    yield from _at_most("overload: errors but 503", 0, overload.get("other_errors"))


def _against_peers(rows: list[dict[str, Any]], ours: dict[int, float]) -> float | None:
    """Through the fastest peer of each round, or through one peer in all of its rounds, whichever is less: a fast one
    that missed rounds counts too."""
    peers = peers_of(rows)
    found = [_ratio(ours, best_per_round(rows, some, clients=_MANY)) for some in (peers, *({peer} for peer in peers))]
    return min((value for value in found if value is not None), default=None)


def _ratio(above: dict[int, float], below: dict[int, float]) -> float | None:
    """Over the rounds that both took part in."""
    both = sorted(set(above) & set(below))
    return ratio([above[number] for number in both], [below[number] for number in both])


def _at_least(what: str, least: float, measured: float | None) -> Iterator[Verdict]:
    if measured is not None:
        yield Verdict(what, f"at least {least:g} times", measured, "times", measured >= least)


def _at_most(what: str, most: float, measured: float | None, unit: str = "") -> Iterator[Verdict]:
    if measured is not None:
        yield Verdict(what, f"at most {most:g} {unit}".strip(), measured, unit, measured <= most)
