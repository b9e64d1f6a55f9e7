"""The results of a whole video, put together from its segments' folders."""

import json
import shutil
import uuid
import zipfile
from pathlib import Path

from service.errors import UndecodableVideo
from service.storage.disk import make_durable, sync
from service.video.decoding.index import Segment, plan_segments
from service.video.options import SUMMARY_FILE
from service.video.results.summary import Summary, summarise
from service.video.results.tables import Series, TableWriter, read_rows
from service.video.segments.segment import SegmentStats
from service.video.segments.work import VideoWork
from service.video.segments.writer import Part, join

_UNFINISHED = "unfinished-"


def finish(work: VideoWork, out_dir: Path) -> Summary:
    """Join the segments' files into the results; each appears under its name once it is whole and durable.

    Two calls at once (a worker that was taken for dead, and its heir) don't meet: each makes its own. Raises
    FileNotFoundError when `out_dir` is gone: the job was deleted.
    """
    segments = plan_segments(work.index, work.options)
    stats = [SegmentStats.load(work.folder / segment.name / "stats.json") for segment in segments]
    if not any(entry.frames for entry in stats):
        raise UndecodableVideo(f"not one of the video's {len(work.index)} frames can be decoded")
    made = out_dir / f"{_UNFINISHED}{uuid.uuid4().hex[:8]}"
    made.mkdir()
    try:
        summary = _make(work, segments, stats, made)
        make_durable(made)
        for name in work.options.files:
            (made / name).replace(out_dir / name)
        sync(out_dir)
    finally:
        shutil.rmtree(made, ignore_errors=True)
    return summary


def remove_unfinished(out_dir: Path) -> None:
    """Remove what calls left that were killed; only for who knows that no other call is wanted."""
    for left in out_dir.glob(f"{_UNFINISHED}*"):
        shutil.rmtree(left, ignore_errors=True)


def _make(work: VideoWork, segments: list[Segment], stats: list[SegmentStats], made: Path) -> Summary:
    """All results, in a folder of their own."""
    series = _write_tables(work, segments, made)
    summary = summarise(work, series, stats)
    (made / SUMMARY_FILE).write_text(json.dumps(summary.as_json(), indent=2) + "\n")
    if "annotated" in work.options.outputs:
        _join_videos(work, segments, stats, made / "annotated.mp4")
    if "masks" in work.options.outputs:
        _join_masks(work, segments, made / "masks.zip")
    if "report" in work.options.outputs:
        from service.video.results.report import write_report  # noqa: PLC0415  (Matplotlib takes 0.4 s of computing to import)

        samples = sorted(path for segment in segments for path in (work.folder / segment.name).glob("sample-*.jpg"))
        write_report(made / "report.html", summary, series, samples)
    return summary


def _write_tables(work: VideoWork, segments: list[Segment], folder: Path) -> Series:
    series = Series(work.class_names)
    if "frames" not in work.options.outputs:
        for rows in read_rows(work, segments):
            series.extend(rows)
        return series
    with TableWriter(folder, work.class_names) as tables:
        for rows in read_rows(work, segments):
            series.extend(rows)
            tables.write(rows)
    return series


def _join_videos(work: VideoWork, segments: list[Segment], stats: list[SegmentStats], target: Path) -> None:
    parts = [
        Part(work.folder / segment.name / "annotated.mp4", entry.starts_at)
        for segment, entry in zip(segments, stats, strict=True)
        if entry.starts_at is not None
    ]
    ends_at = int(work.index.times[-1]) + work.index.last_duration
    join(parts, target, work.index.time_base, ends_at)


def _join_masks(work: VideoWork, segments: list[Segment], target: Path) -> None:
    """Move every mask from the segments' archives into one, a mask at a time, and describe the classes."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as joined:
        classes = [entry.model_dump() for entry in work.model.manifest.classes]
        joined.writestr(zipfile.ZipInfo("classes.json"), json.dumps(classes, indent=2))
        for segment in segments:
            with zipfile.ZipFile(work.folder / segment.name / "masks.zip") as part:
                for entry in part.infolist():
                    joined.writestr(zipfile.ZipInfo(entry.filename, entry.date_time), part.read(entry))
