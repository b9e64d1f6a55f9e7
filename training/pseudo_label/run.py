"""From a model and unlabelled frames to a data set, and to what a person needs to correct the rest.

<root>/                canonical data set of the accepted frames, all in the split `train`
<root>/doubt.csv       every frame, most doubtful first, with its criteria and why it was left out
<root>/pseudo_label.json   what was done and how many frames it gave
<root>/sheets/         contact sheets
<root>/review/         canonical data set of all frames, named by rank: the most doubtful comes first everywhere
<root>/review/cvat.xml, coco.json   the same masks for an annotation tool, to be imported over review/images
<root>/work/           pictures, masks and rows, by which a broken run goes on
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from training.datasets.exchange.coco import write_coco
from training.datasets.exchange.cvat import write_cvat
from training.datasets.index import ClassInfo
from training.datasets.source import SourceDataset, SourceFrame
from training.datasets.writing import write_dataset
from training.errors import InputError
from training.models import OpenModel
from training.predict.identity import identify
from training.predict.ledger import Ledger
from training.predict.source import Source
from training.pseudo_label.choice import Rules, Verdict, choose, write_table
from training.pseudo_label.labelling import TABLE, label
from training.pseudo_label.sheets import write_sheets
from training.pseudo_label.views import SHRINK

SUMMARY_FILE = "pseudo_label.json"
LICENCE = "as the frames'; the masks are a model's and only as good as it is"


@dataclass(frozen=True)
class Job:
    """What to label with what, and where it goes."""

    model: OpenModel
    model_path: Path
    source: Source
    frame_step: int
    root: Path


def pseudo_label(
    job: Job, rules: Rules, accepted_by_person: set[str] | None, on_frames: Callable[[int], None]
) -> dict[str, Any]:
    """Does what is not done yet; returns what pseudo_label.json says. Raises InputError."""
    settings = identify(job.model, job.model_path, job.source, job.frame_step) | {"shrink": SHRINK}
    with Ledger(job.root / "work", TABLE, settings, job.model.classes) as ledger:
        frames = label(job.model, job.source, ledger, on_frames)
    verdicts = choose(frames, rules, accepted_by_person)
    write_table(verdicts, job.root / "doubt.csv")
    write_sheets(verdicts, ledger.mask, [entry.rgb for entry in job.model.classes], job.root / "sheets")
    summary = _summary(job, settings, rules, verdicts, by_person=accepted_by_person is not None)
    (job.root / SUMMARY_FILE).write_text(json.dumps(summary, indent=1) + "\n")
    _write_review(job, ledger, verdicts)
    accepted = [verdict for verdict in verdicts if verdict.accepted]
    if not accepted:
        least = min(verdict.doubt for verdict in verdicts)
        raise InputError(
            f"no frame of {job.source.name} was accepted (the least doubt is {least:.2f}, the limit 1); "
            f"look at {job.root / 'sheets'}, then accept frames with --accept or raise --limit-scale"
        )
    frames_to_learn = (_frame(ledger, verdict, verdict.frame.id) for verdict in accepted)
    write_dataset(_dataset(job, accepted, "train", "accepted frames", frames_to_learn), job.root)
    return summary


def _write_review(job: Job, ledger: Ledger, verdicts: Sequence[Verdict]) -> None:
    """All frames for an annotation tool. Tools sort pictures by name, so the rank leads each name."""
    digits = len(str(len(verdicts)))
    frames = (
        _frame(ledger, verdict, f"{rank:0{digits}d}_{verdict.frame.id}") for rank, verdict in enumerate(verdicts, 1)
    )
    root = job.root / "review"
    dataset = write_dataset(_dataset(job, verdicts, "review", "all frames, to correct", frames), root)
    write_cvat(dataset, root / "cvat.xml")
    write_coco(dataset, root / "coco.json")


def _dataset(
    job: Job, verdicts: Sequence[Verdict], split: str, what: str, frames: Iterator[SourceFrame]
) -> SourceDataset:
    """The canonical data set has no value for `ignore`: a doubtful frame is left out whole, and in an accepted one
    every pixel is decided."""
    return SourceDataset(
        name=job.root.name,
        source=f"{job.source.name}, {what}, labelled by {job.model.label}",
        licence=LICENCE,
        split_unit="video",
        classes=[ClassInfo(id=entry.id, name=entry.name, colour=entry.rgb) for entry in job.model.classes],
        splits={split: sorted({verdict.frame.group for verdict in verdicts})},
        frames=frames,
    )


def _frame(ledger: Ledger, verdict: Verdict, sample_id: str) -> SourceFrame:
    frame = verdict.frame
    return SourceFrame(sample_id, frame.group, frame.picture, ledger.mask(frame.name))


def _summary(
    job: Job, settings: dict[str, Any], rules: Rules, verdicts: Sequence[Verdict], *, by_person: bool
) -> dict[str, Any]:
    reasons = [verdict.reason for verdict in verdicts if verdict.reason]
    return {
        **settings,
        "limits": asdict(rules.limits),
        "keep": rules.keep,
        "empty": rules.empty,
        "accepted_by": "a person's list" if by_person else "the limits",
        "frames": len(verdicts),
        "accepted": len(verdicts) - len(reasons),
        "rejected": {reason: reasons.count(reason) for reason in sorted(set(reasons))},
        "damaged": job.source.damaged,
    }
