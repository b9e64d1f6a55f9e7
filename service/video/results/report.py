"""report.html: one file with figures, tables and sample frames inside, which loads nothing from elsewhere."""

import base64
from collections.abc import Iterable
from html import escape
from pathlib import Path
from typing import Any

from service.video.results.class_summary import ClassSummary
from service.video.results.damage import LostFrames
from service.video.results.plots import coverage_distribution, coverage_over_time, stability_over_time
from service.video.results.report_parts import duration, number, percent, table
from service.video.results.report_time import time_sections
from service.video.results.summary import Summary
from service.video.results.tables import Series

_STYLE = """
:root { color-scheme: light; }
body { font: 15px/1.5 system-ui, sans-serif; color: #1b2733; background: #fff; margin: 2rem auto; max-width: 64rem;
  padding: 0 1rem; }
h1 { font-size: 1.6rem; margin: 0; } h2 { font-size: 1.15rem; margin: 2rem 0 .5rem; }
.muted { color: #5a6b7b; } svg { width: 100%; height: auto; }
svg text { font-family: system-ui, sans-serif !important; }
.numbers { display: grid; grid-template-columns: repeat(auto-fit, minmax(7.5rem, 1fr));
  gap: .75rem; margin: 1.25rem 0; }
.numbers div { background: #f2f5f8; border-radius: .5rem; padding: .6rem .8rem; }
.numbers b { display: block; font-size: 1.35rem; }
.pair { display: grid; grid-template-columns: 1fr 1fr; gap: 1rem; }
.samples { display: grid; grid-template-columns: repeat(3, 1fr); gap: .5rem; }
.table { overflow-x: auto; }
.samples img { width: 100%; border-radius: .3rem; display: block; } figure { margin: 0; }
table { border-collapse: collapse; width: 100%; } th, td { text-align: left; padding: .3rem .6rem; }
td, th { border-bottom: 1px solid #e3e8ed; } td:not(:first-child), th:not(:first-child) { text-align: right; }
td { white-space: nowrap; }
.dot { display: inline-block; width: .8em; height: .8em; border-radius: 50%; margin-right: .5em; }
@media (max-width: 40rem) { .pair { grid-template-columns: 1fr; } .samples { grid-template-columns: 1fr 1fr; } }
"""


def write_report(path: Path, summary: Summary, series: Series, samples: list[Path]) -> None:
    """Write the report of a video; `samples` are JPEGs named `sample-<frame index>.jpg`."""
    sections = [
        _head(summary),
        _numbers(summary),
        f"<h2>Coverage over time</h2>{coverage_over_time(summary, series)}",
        '<div class="pair">',
        f"<section><h2>Coverage distribution</h2>{coverage_distribution(summary, series)}</section>",
        f"<section><h2>Stability</h2>{stability_over_time(summary, series)}</section>",
        "</div>",
        _class_table(summary),
        time_sections(summary),
        _samples(samples, series),
        _damage(summary),
        '<p class="muted">Not a medical device. Coverage is the share of a frame\'s pixels.</p>',
    ]
    page = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Endomask report</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{_STYLE}</style></head><body>{''.join(sections)}</body></html>\n"
    )
    path.write_text(page, encoding="utf-8")


def _head(summary: Summary) -> str:
    info = summary.input
    rate = f", {info.frame_rate:g} frames/s" if info.frame_rate else ""
    source = f"{info.codec} {info.width}x{info.height}{rate}, {duration(summary.duration_s)}"
    model = f"{summary.model['name']}/{summary.model['version']}"
    lines = [f"{source} · model {model}", *_asked(summary.options), *_decoded_by(summary)]
    return "<h1>Video report</h1>" + "".join(f'<p class="muted">{escape(line)}</p>' for line in lines)


def _asked(options: dict[str, Any]) -> list[str]:
    """In a line, what was asked for that changes how the numbers read."""
    step, most, window = options["frame_step"], options["max_frames"], options["smoothing"]
    told = [
        f"one of {step} frames segmented" if step > 1 else "",
        f"the first {most:,} frames only" if most else "",
        f"smoothed over {window} segmented frames" if window > 1 else "",
        f"gaps of up to {options['bridge_s']:g} s bridged" if options["bridge_s"] else "",
        "frames out of the body pixelated" if options["out_of_body"] == "pixelate" else "",
    ]
    line = "; ".join(filter(None, told))
    return [line[0].upper() + line[1:] + "."] if line else []


def _decoded_by(summary: Summary) -> list[str]:
    """Who decoded the frames, where it was not software alone."""
    count, total = summary.frames.decoded_in_hardware, summary.frames.total - summary.frames.damaged
    return [f"{count:,} of {total:,} frames decoded by a GPU, any others in software."] if count else []


def _numbers(summary: Summary) -> str:
    entries = [
        ("frames segmented", f"{summary.frames.segmented:,}"),
        ("with a detection", percent(summary.detection_rate)),
        ("time in view", duration(summary.time_in_view_s)),
        ("mean coverage", percent(summary.coverage.mean)),
        ("mean temporal IoU", number(summary.stability.temporal_iou.mean)),
        ("damaged frames", f"{summary.frames.damaged:,}"),
        ("times real time", f"{summary.throughput.realtime_factor:.1f}"),
    ]
    return '<div class="numbers">' + "".join(f"<div><b>{value}</b>{name}</div>" for name, value in entries) + "</div>"


def _class_table(summary: Summary) -> str:
    titles = ("class", "detection rate", "time in view", "appearances", "median coverage", "95th percentile", "highest")
    head = "".join(f"<th>{title}</th>" for title in titles)
    rows = "".join(_class_row(entry) for entry in summary.classes)
    return f"<h2>Classes</h2>{table(head, rows)}"


def _class_row(entry: ClassSummary) -> str:
    cells = [
        f'<span class="dot" style="background:{entry.colour}"></span>{escape(entry.name)}',
        percent(entry.detection_rate),
        duration(entry.time_in_view_s),
        str(entry.appearances),
        percent(entry.coverage.median),
        percent(entry.coverage.p95),
        percent(entry.coverage.maximum),
    ]
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"


def _samples(samples: Iterable[Path], series: Series) -> str:
    shown_at = dict(zip(series["index"].astype(int).tolist(), series["time_s"].tolist(), strict=True))
    figures = "".join(_sample(path, shown_at) for path in samples)
    return f'<h2>Sample frames</h2><div class="samples">{figures}</div>' if figures else ""


def _sample(path: Path, shown_at: dict[int, float]) -> str:
    """One picture, with its frame's index and time beneath."""
    index = int(path.stem.split("-")[1])
    picture = base64.b64encode(path.read_bytes()).decode()
    caption = f"frame {index:,}, {duration(shown_at[index])}"
    return (
        f'<figure><img alt="frame {index}" src="data:image/jpeg;base64,{picture}">'
        f'<figcaption class="muted">{caption}</figcaption></figure>'
    )


def _damage(summary: Summary) -> str:
    damage = summary.damage
    if not damage.any:
        return ""
    ends = [damage.missing_at_end] if damage.missing_at_end else []
    kinds = (
        ("can't be decoded", damage.undecodable),
        ("no frame is stored", damage.gaps),
        ("missing at the end", ends),
    )
    rows = "".join(_lost_row(kind, lost) for kind, entries in kinds for lost in entries)
    head = "<th>what</th><th>from, s</th><th>to, s</th><th>frames</th>"
    note = "<p>The file's times went back; its frames are shown in the order in which they are stored.</p>"
    return f"<h2>Damage</h2>{note if damage.times_repaired else ''}{table(head, rows) if rows else ''}"


def _lost_row(kind: str, lost: LostFrames) -> str:
    frames = "–" if lost.frames is None else f"{lost.frames:,}"  # noqa: RUF001
    return f"<tr><td>{kind}</td><td>{lost.start_s:.2f}</td><td>{lost.end_s:.2f}</td><td>{frames}</td></tr>"
