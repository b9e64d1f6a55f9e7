"""How many instruments are at work at a time, and when there is none."""

from dataclasses import dataclass

from service.video.over_time.analysis import Flags, Floats, Interval, intervals, time_in_view
from service.video.results.tables import Series


@dataclass(frozen=True, slots=True)
class Activity:
    """Instances are connected parts of at least 0.05 % of the frame. The number in a frame is that of the class with
    the most of them: shaft and tip of one instrument count once."""

    none_s: float
    """Time without an instance. What is smaller than one is no instance, so that this may be longer than `idle_s`."""
    one_s: float
    two_or_more_s: float
    most_at_once: int
    idle_s: float
    """Time in which nothing is in view, not one pixel."""
    longest_idle_s: float
    idle: list[Interval]


def measure_activity(series: Series, durations_s: Floats, seen: Flags) -> Activity:
    """`seen`: rows with anything in view, gaps that were asked for bridged."""
    counts = series.most_instances()
    idle = intervals(series["time_s"], durations_s, ~seen)
    return Activity(
        none_s=round(time_in_view(durations_s, counts == 0), 3),
        one_s=round(time_in_view(durations_s, counts == 1), 3),
        two_or_more_s=round(time_in_view(durations_s, counts >= 2), 3),
        most_at_once=int(counts.max(initial=0)),
        idle_s=round(time_in_view(durations_s, ~seen), 3),
        longest_idle_s=round(max((span.end_s - span.start_s for span in idle), default=0.0), 3),
        idle=idle,
    )
