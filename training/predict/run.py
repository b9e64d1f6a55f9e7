"""Every wanted frame predicted once; a broken run goes on where it was.

<out>/masks/<name>.png      index PNG: the value is the class id; a video's frames by index, as in masks.zip
<out>/classes.json          ids, names and colours
<out>/predictions.jsonl, predictions.csv   one row a frame: the service's columns, name, group, brightness, sharpness
<out>/annotated.mp4         or annotated.jpg for one picture
<out>/preview.gif           where asked for
<out>/predict.json          what was done
"""

import csv
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from service.imaging.geometry import U8, decide, prepare
from service.imaging.overlay import draw
from service.imaging.stats import brightness, measure, sharpness
from service.video.over_time.analysis import temporal_iou
from service.video.rows import row_of
from service.video.segments.stages import in_thread
from training.errors import InputError
from training.models import OpenModel
from training.predict.film import Animation, Film, Sink, Still
from training.predict.identity import identify
from training.predict.ledger import Ledger, Row
from training.predict.source import InputFrame, Source

TABLE = "predictions"
CSV_FILE = f"{TABLE}.csv"
SUMMARY_FILE = "predict.json"
_OPACITY = 0.4
_READ_AHEAD = 4


@dataclass(frozen=True)
class Request:
    """What is wanted beside masks and rows."""

    frame_step: int = 1
    max_frames: int | None = None
    annotated: bool = True
    gif: bool = False
    gif_width: int = 320
    gif_frames_per_second: float = 8.0


@dataclass(frozen=True)
class Job:
    model: OpenModel
    model_path: Path
    source: Source
    source_path: Path
    out: Path
    request: Request


def predict(job: Job, on_frames: Callable[[int], None]) -> dict[str, Any]:
    """Does what is not done yet; returns what predict.json says. Raises InputError."""
    settings = identify(job.model, job.model_path, job.source, job.request.frame_step)
    wanted = {"request": asdict(job.request), "wanted": job.source.total}
    with Ledger(job.out, TABLE, settings, job.model.classes) as ledger:
        before = _finished(job.out, wanted)
        if before is not None:
            on_frames(job.source.total)
            return before
        _predict_frames(job, ledger, on_frames)
    if not ledger.rows:
        raise InputError(f"not one frame of {job.source.name} can be decoded")
    rows = sorted(ledger.rows.values(), key=lambda row: int(row["index"]))
    write_csv(rows, job.out / CSV_FILE)
    summary = {**settings, **wanted, **_summary(job, rows)}
    (job.out / SUMMARY_FILE).write_text(json.dumps(summary, indent=1) + "\n")
    return summary


def write_csv(rows: Sequence[Row], path: Path) -> None:
    """Booleans are `true` and `false`, missing values empty, as in the service's frames.csv."""
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        for row in rows:
            writer.writerow({**row, "detected": str(row["detected"]).lower()})


def _finished(out: Path, wanted: dict[str, Any]) -> dict[str, Any] | None:
    """predict.json of an earlier call that wanted the same."""
    path = out / SUMMARY_FILE
    if not path.is_file():
        return None
    summary: dict[str, Any] = json.loads(path.read_text())
    return summary if all(summary.get(key) == value for key, value in wanted.items()) else None


def _predict_frames(job: Job, ledger: Ledger, on_frames: Callable[[int], None]) -> None:
    """Where a film is wanted every frame is read again, but only what has no mask is predicted."""
    sinks = _sinks(job)
    palette = [entry.rgb for entry in job.model.classes]
    before = _last_mask(ledger) if not sinks else None
    done = 0 if sinks else len(ledger.rows)
    with in_thread(job.source.frames(() if sinks else ledger.rows), "read", _READ_AHEAD) as frames:
        for count, frame in enumerate(frames, start=done + 1):
            if frame.name in ledger.rows:
                labels = ledger.mask(frame.name)
            else:
                row, labels = predict_frame(job.model, frame, before)
                ledger.add(row, labels)
            before = frame.group, labels
            for sink in sinks:
                sink.add(draw(frame.image, labels, palette, _OPACITY), frame.time_s)
            on_frames(count)
    for sink in sinks:
        sink.close()


def predict_frame(model: OpenModel, frame: InputFrame, before: tuple[str, U8] | None) -> tuple[Row, U8]:
    """A frame's row and class ids uint8 [H, W]; `before` is the group and mask of the frame before it.

    Brightness and sharpness are measured on the model's input, as in a package's reference distributions.
    """
    probabilities = model.probabilities(frame.image)
    labels = decide(probabilities, model.threshold)
    comparable = before is not None and before[0] == frame.group and before[1].shape == labels.shape
    stability = temporal_iou(before[1], labels) if before is not None and comparable else None
    names = [entry.name for entry in model.classes[1:]]
    seen = prepare(frame.image, model.spec)
    row = row_of(frame.index, frame.time_s or 0.0, measure(labels, probabilities), stability).flat(names)
    if frame.time_s is None:
        row["time_s"] = None
    row |= {"name": frame.name, "group": frame.group}
    row |= {"brightness": round(brightness(seen), 6), "sharpness": round(sharpness(seen), 3)}
    return row, labels


def _last_mask(ledger: Ledger) -> tuple[str, U8] | None:
    if not ledger.rows:
        return None
    last = list(ledger.rows.values())[-1]
    return last["group"], ledger.mask(last["name"])


def _sinks(job: Job) -> list[Sink]:
    request, sinks = job.request, list[Sink]()
    if request.annotated:
        single = job.source.kind == "pictures" and job.source.total == 1
        sinks.append(Still(job.out / "annotated.jpg") if single else Film(job.out / "annotated.mp4", job.source))
    if request.gif:
        path = job.out / "preview.gif"
        sinks.append(Animation(path, job.source, request.gif_width, request.gif_frames_per_second))
    return sinks


def _summary(job: Job, rows: Sequence[Row]) -> dict[str, Any]:
    coverage = [row["coverage"] for row in rows]
    return {
        "input_path": str(job.source_path.resolve()),
        "kind": job.source.kind,
        "backend": job.model.backend.name,
        "provider": job.model.backend.provider,
        "classes": [entry.name for entry in job.model.classes],
        "frames": len(rows),
        "damaged": job.source.total - len(rows) if job.source.kind == "video" else job.source.damaged,
        "detection_rate": round(sum(row["detected"] for row in rows) / len(rows), 6),
        "mean_coverage": round(sum(coverage) / len(rows), 6),
    }
