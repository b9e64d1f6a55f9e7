"""The `Server-Timing` header of frame answers."""

from collections.abc import Iterable
from statistics import median


def parse(header: str) -> dict[str, float]:
    """`decode;dur=1.9, infer;dur=7.1` -> milliseconds by stage. An entry without a duration is left out."""
    found = {}
    for entry in header.split(","):
        name, *parameters = (part.strip() for part in entry.split(";"))
        for parameter in parameters:
            key, _, value = parameter.partition("=")
            if key.strip().lower() == "dur":
                found[name] = float(value.strip().strip('"'))
    return found


def median_stages(timings: Iterable[dict[str, float]]) -> dict[str, float]:
    """Median milliseconds of each stage over the answers that name it."""
    columns: dict[str, list[float]] = {}
    for timing in timings:
        for stage, milliseconds in timing.items():
            columns.setdefault(stage, []).append(milliseconds)
    return {stage: round(median(values), 3) for stage, values in columns.items()}


def around_graph(pairs: Iterable[tuple[float, dict[str, float]]]) -> dict[str, float]:
    """What a frame takes besides the graph's run, median in milliseconds: `client` by the caller's clock, `server` by
    the stages alone. Takes (milliseconds at the client, stages) of answers."""
    timed = [(total, stages) for total, stages in pairs if "infer" in stages]
    if not timed:
        return {}
    return {
        "client": round(median(total - stages["infer"] for total, stages in timed), 3),
        "server": round(median(sum(stages.values()) - stages["infer"] for _, stages in timed), 3),
    }
