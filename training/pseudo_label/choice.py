"""Which frames become training data, and in which order a person should look at them."""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

from training.errors import InputError
from training.pseudo_label.criteria import Limits
from training.pseudo_label.labelling import Judged


@dataclass(frozen=True)
class Rules:
    limits: Limits = field(default_factory=Limits)
    keep: float = 0.6
    """At most this share of all frames is accepted, the least doubtful first."""
    empty: bool = False
    """Whether a frame in which nothing was found may be accepted: a missed instrument looks the same."""


@dataclass(frozen=True)
class Verdict:
    """A frame with its doubt; `reason` says why it was left out, empty when accepted."""

    frame: Judged
    doubt: float
    reason: str

    @property
    def accepted(self) -> bool:
        return not self.reason


def choose(frames: Iterable[Judged], rules: Rules, accepted_by_person: set[str] | None = None) -> list[Verdict]:
    """Most doubtful first. With `accepted_by_person` (ids) nothing but that list decides; raises InputError on an id
    that is not among the frames."""
    ranked = sorted(((frame.criteria.doubt(rules.limits), frame) for frame in frames), key=lambda pair: -pair[0])
    if accepted_by_person is not None:
        _check_known(accepted_by_person, {frame.id for _, frame in ranked})
        return [Verdict(f, doubt, "" if f.id in accepted_by_person else "not on the list") for doubt, f in ranked]
    room = int(rules.keep * len(ranked))
    verdicts: list[Verdict] = []
    for doubt, frame in reversed(ranked):
        reason = _fault(frame, doubt, rules) or ("" if room else "over the share to keep")
        room -= not reason
        verdicts.append(Verdict(frame, doubt, reason))
    return verdicts[::-1]


def read_ids(path: Path) -> set[str]:
    """One id a line; empty lines and what follows a # are passed over. Raises InputError."""
    if not path.is_file():
        raise InputError(f"{path} is not there; it should list accepted ids, one a line")
    return {text for line in path.read_text().splitlines() if (text := line.split("#")[0].strip())}


def write_table(verdicts: Sequence[Verdict], path: Path) -> None:
    """doubt.csv: one row a frame, most doubtful first; empty where a criterion does not apply."""
    names = ("rank", "id", "group", "index", "time_s", "doubt", "coverage", "confidence")
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*names, *(entry.name for entry in fields(Limits)), "accepted", "reason"])
        for rank, verdict in enumerate(verdicts, start=1):
            frame = verdict.frame
            own = (frame.id, frame.group, frame.index, frame.time_s)
            numbers = (round(verdict.doubt, 4), frame.coverage, frame.confidence)
            criteria = asdict(frame.criteria).values()
            writer.writerow([rank, *own, *numbers, *criteria, str(verdict.accepted).lower(), verdict.reason])


def _fault(frame: Judged, doubt: float, rules: Rules) -> str:
    if frame.coverage == 0 and not rules.empty:
        return "nothing found"
    return frame.criteria.worst(rules.limits) if doubt > 1 else ""


def _check_known(wanted: set[str], known: set[str]) -> None:
    if unknown := sorted(wanted - known):
        raise InputError(f"the list accepts {', '.join(unknown[:5])}, which is not among the {len(known)} frames")
