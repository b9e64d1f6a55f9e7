"""Every frame of an input labelled and judged, kept in a folder so that a broken run goes on where it was."""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2

from service.imaging.geometry import decide
from service.imaging.stats import measure
from service.video.segments.stages import in_thread
from training.errors import InputError
from training.models import OpenModel
from training.predict.ledger import Ledger, Row
from training.predict.source import InputFrame, Source
from training.pseudo_label.criteria import Criteria, disagreement, judge, without_specks
from training.pseudo_label.views import look

NEIGHBOUR_SECONDS = 0.5
"""Frames of a video further apart than this are not asked to agree: instruments move."""
TABLE = "judged"
_READ_AHEAD = 4


@dataclass(frozen=True)
class Judged:
    """One labelled frame."""

    id: str
    """Of the sample that it becomes: a picture's name, or video and index."""
    name: str
    """Of its mask in the work folder."""
    group: str
    index: int
    time_s: float | None
    picture: Path
    coverage: float
    confidence: float
    criteria: Criteria


def label(model: OpenModel, source: Source, ledger: Ledger, on_frames: Callable[[int], None]) -> list[Judged]:
    """Labels what `ledger` lacks; pictures, masks and rows lie there afterwards. All frames in the input's order.

    `on_frames` gets the number of finished frames.
    """
    on_frames(len(ledger.rows))
    with in_thread(source.frames(ledger.rows), "read", _READ_AHEAD) as frames:
        for frame in frames:
            _label_frame(model, ledger, frame)
            on_frames(len(ledger.rows))
    judged = sorted((_judged(row) for row in ledger.rows.values()), key=lambda frame: frame.index)
    if not judged:
        raise InputError(f"not one frame of {source.name} can be decoded")
    return list(_with_neighbours(judged, ledger))


def _label_frame(model: OpenModel, ledger: Ledger, frame: InputFrame) -> None:
    views = look(model, frame.image)
    labels = without_specks(decide(views.mean, model.threshold))
    stats = measure(labels, views.mean, instances=False)
    row: Row = {
        "id": frame.name if frame.path else f"{frame.group}_{frame.name}",
        "name": frame.name,
        "group": frame.group,
        "index": frame.index,
        "time_s": frame.time_s,
        "picture": str((frame.path or _keep_picture(ledger.folder, frame)).resolve()),
        "coverage": round(stats.coverage, 6),
        "confidence": round(stats.confidence, 6),
        "criteria": asdict(judge(views, labels, model.threshold)),
    }
    ledger.add(row, labels)


def _keep_picture(folder: Path, frame: InputFrame) -> Path:
    """A video's frame as PNG, so that nobody has to decode the video again."""
    path = folder / "frames" / f"{frame.name}.png"
    path.parent.mkdir(exist_ok=True)
    if not cv2.imwrite(str(path), cv2.cvtColor(frame.image, cv2.COLOR_RGB2BGR)):
        raise InputError(f"{path} could not be written")
    return path


def _judged(row: dict[str, Any]) -> Judged:
    return Judged(**{**row, "picture": Path(row["picture"]), "criteria": Criteria(**row["criteria"])})


def _with_neighbours(frames: list[Judged], ledger: Ledger) -> Iterator[Judged]:
    """Adds how much each frame of a video differs from the neighbour that it is more like."""
    steps = [_step(*pair, ledger) for pair in pairwise(frames)]
    for frame, before, after in zip(frames, [None, *steps], [*steps, None], strict=True):
        near = [step for step in (before, after) if step is not None]
        jumpy = round(min(near), 6) if near else None
        yield replace(frame, criteria=replace(frame.criteria, jumpy=jumpy))


def _step(frame: Judged, following: Judged, ledger: Ledger) -> float | None:
    if frame.time_s is None or following.time_s is None or following.time_s - frame.time_s > NEIGHBOUR_SECONDS:
        return None
    return disagreement(ledger.mask(frame.name), ledger.mask(following.name))
