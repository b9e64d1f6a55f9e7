"""The report's tables of what happens over time: activity, motion, flicker, time out of the body."""

from html import escape

from service.video.over_time.analysis import Interval
from service.video.results.class_summary import ClassSummary
from service.video.results.report_parts import duration, number, percent, table
from service.video.results.summary import Summary

_MOST_SPANS = 12


def time_sections(summary: Summary) -> str:
    return _activity(summary) + _motion(summary.classes) + _out_of_body(summary)


def _activity(summary: Summary) -> str:
    found = summary.activity
    whole = found.none_s + found.one_s + found.two_or_more_s
    times = (
        ("no instance", found.none_s),
        ("one", found.one_s),
        ("two or more", found.two_or_more_s),
        ("idle: nothing in view", found.idle_s),
    )
    rows = "".join(
        f"<tr><td>{name}</td><td>{duration(seconds)}</td><td>{percent(seconds / whole if whole else None)}</td></tr>"
        for name, seconds in times
    )
    head = "<th>in view at a time</th><th>time</th><th>share</th>"
    notes = f"At most {found.most_at_once} at once; the longest idle time is {duration(found.longest_idle_s)}."
    return f'<h2>Activity</h2>{table(head, rows)}<p class="muted">{notes}</p>'


def _motion(classes: list[ClassSummary]) -> str:
    titles = (
        "class", "path (px)", "in diagonals", "followed", "median speed (px/s)", "95th percentile", "flickers",
        "per minute", "frames in them",
    )  # fmt: skip
    head = "".join(f"<th>{title}</th>" for title in titles)
    rows = "".join(_motion_row(entry) for entry in classes)
    return f"<h2>Motion and flicker</h2>{table(head, rows)}"


def _motion_row(entry: ClassSummary) -> str:
    motion, flicker = entry.motion, entry.flicker
    cells = [
        f'<span class="dot" style="background:{entry.colour}"></span>{escape(entry.name)}',
        f"{motion.path_px:,.0f}",
        f"{motion.path_diagonals:.1f}",
        duration(motion.followed_s),
        number(motion.speed_px_s.median, 0),
        number(motion.speed_px_s.p95, 0),
        number(flicker.flickers, 0),
        number(flicker.per_minute, 1),
        percent(flicker.share),
    ]
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"


def _out_of_body(summary: Summary) -> str:
    found = summary.out_of_body
    if found is None:
        return ""
    told = f"{duration(found.time_s)}, {percent(found.share)} of the segmented frames, by colour alone."
    more = len(found.intervals) - _MOST_SPANS
    rest = f'<p class="muted">and {more:,} more, in summary.json</p>' if more > 0 else ""
    rows = "".join(_span_row(span) for span in found.intervals[:_MOST_SPANS])
    spans = table("<th>from, s</th><th>to, s</th>", rows) + rest if rows else ""
    return f"<h2>Out of the body</h2><p>{told}</p>{spans}"


def _span_row(span: Interval) -> str:
    return f"<tr><td>{span.start_s:.2f}</td><td>{span.end_s:.2f}</td></tr>"
