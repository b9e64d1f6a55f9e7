"""Splits by group: sizes follow the shares, every class comes into every split where the groups allow it.

A group (video, patient, operation) is never divided: neighbouring frames are alike, and a net that saw one of them
in training has seen the other.
"""

import random
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from training.errors import DatasetError

NAMES = {2: ("train", "val"), 3: ("train", "val", "test")}
"""What plain shares are called, by how many there are."""


@dataclass(frozen=True)
class GroupSize:
    """What a split needs to know of a group: its frames, and the ids of the classes in them."""

    name: str
    frames: int
    classes: frozenset[int]


SplitRule = Callable[[Sequence[GroupSize]], dict[str, list[str]]]
"""Groups -> the groups of each split."""


def parse_shares(text: str) -> dict[str, float]:
    """`0.7,0.15,0.15` (train, val, test), `0.8,0.2` (train, val) or `train=0.8,test=0.2` -> share of each split."""
    parts = [part.strip() for part in text.split(",")]
    named = [(name.strip(), share) for name, sign, share in (part.partition("=") for part in parts) if sign]
    if not named and len(parts) in NAMES:
        named = list(zip(NAMES[len(parts)], parts, strict=True))
    try:
        shares = {name: float(share) for name, share in named}
    except ValueError as error:
        raise DatasetError(f"--split {text!r} holds no numbers; write 0.7,0.15,0.15") from error
    if len(shares) != len(parts) or min(shares.values()) <= 0 or abs(sum(shares.values()) - 1) > 0.005:
        raise DatasetError(
            f"--split {text!r} is no split: two or three shares (train, val, test) or name=share, above 0, of sum 1"
        )
    if "all" in shares:
        raise DatasetError("--split: 'all' means every frame; call the split otherwise")
    return shares


def split_groups(groups: Sequence[GroupSize], shares: Mapping[str, float], seed: int) -> dict[str, list[str]]:
    """Group names of each split; the same for the same seed.

    First the classes, the one in the fewest groups first: every split that lacks it gets the group that fits best into
    the room left in it (after Sechidis et al., On the stratification of multi-label data, 2011, with groups for
    examples); a class in fewer groups than splits goes to the splits of the largest shares. Then the other groups, the
    largest first, each to the split with the most room left. Raises DatasetError for fewer groups than splits.
    """
    if len(groups) < len(shares):
        raise DatasetError(f"{len(groups)} groups cannot fill {len(shares)} splits ({', '.join(shares)})")
    total = sum(group.frames for group in groups)
    left = sorted(groups, key=lambda group: group.name)
    random.Random(seed).shuffle(left)
    assignment = _Assignment({name: share * total for name, share in shares.items()}, left)
    for class_id in _rarest_first(groups):
        for split in sorted(shares, key=lambda name: -shares[name]):
            assignment.bring(class_id, split)
    assignment.fill()
    return {name: sorted(group.name for group in chosen) for name, chosen in assignment.chosen.items()}


def measure_groups(groups: Sequence[str], classes: Sequence[Sequence[int]]) -> list[GroupSize]:
    """Group and class ids of each frame -> size and classes of each group, in order of first appearance."""
    frames: dict[str, int] = defaultdict(int)
    held: dict[str, set[int]] = defaultdict(set)
    for group, ids in zip(groups, classes, strict=True):
        frames[group] += 1
        held[group].update(ids)
    return [GroupSize(name, count, frozenset(held[name])) for name, count in frames.items()]


def check_groups(origin: str, group_of: Mapping[str, str], splits: Mapping[str, Sequence[str]]) -> None:
    """Raises DatasetError for a sample that is not there, and for a group that lies on both sides of a split."""
    side: dict[str, str] = {}
    for split, ids in splits.items():
        for sample_id in ids:
            if sample_id not in group_of:
                raise DatasetError(f"{origin}: the split {split!r} names {sample_id!r}, which is no sample")
            group = group_of[sample_id]
            if side.setdefault(group, split) != split:
                raise DatasetError(f"{origin}: the group {group!r} lies in the splits {side[group]!r} and {split!r}")


class _Assignment:
    """Groups handed to splits one after another."""

    def __init__(self, targets: dict[str, float], left: list[GroupSize]) -> None:
        self.chosen: dict[str, list[GroupSize]] = {name: [] for name in targets}
        self._targets = targets
        self._left = left

    def bring(self, class_id: int, split: str) -> None:
        """Gives `split` a group with the class, unless it has one, none is left, or other splits would stay empty."""
        holders = [group for group in self._left if class_id in group.classes]
        if not holders or class_id in self._held(split) or len(self._left) <= self._empty_beside(split):
            return
        room = self._room(split)
        missing = frozenset(i for group in self._left for i in group.classes) - self._held(split)
        best = min(holders, key=lambda g: (max(g.frames - room, 0), -len(g.classes & missing), abs(room - g.frames)))
        self._left = [group for group in self._left if group is not best]
        self.chosen[split].append(best)

    def fill(self) -> None:
        """The rest, largest first; a split without any group comes before all others."""
        for group in sorted(self._left, key=lambda g: -g.frames):
            empty = [name for name, chosen in self.chosen.items() if not chosen]
            self.chosen[max(empty or self.chosen, key=self._room)].append(group)
        self._left = []

    def _empty_beside(self, split: str) -> int:
        return sum(not chosen for name, chosen in self.chosen.items() if name != split)

    def _room(self, split: str) -> float:
        return self._targets[split] - sum(group.frames for group in self.chosen[split])

    def _held(self, split: str) -> frozenset[int]:
        return frozenset(i for group in self.chosen[split] for i in group.classes)


def _rarest_first(groups: Sequence[GroupSize]) -> list[int]:
    """Class ids (background aside) by the number of groups that hold them."""
    holders: dict[int, int] = defaultdict(int)
    for group in groups:
        for class_id in group.classes - {0}:
            holders[class_id] += 1
    return sorted(holders, key=lambda class_id: (holders[class_id], class_id))
