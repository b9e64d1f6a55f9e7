"""Splits of groups (videos, or frames where nothing larger is known), drawn with a seed."""

import random
from collections.abc import Iterable

from training.errors import DatasetError


def carve(groups: Iterable[str], count: int, seed: int) -> tuple[list[str], list[str]]:
    """(the rest, `count` groups drawn), both sorted; the same seed draws the same from the same set.

    Raises DatasetError when nothing would be left.
    """
    ordered = sorted(set(groups))
    if count and count >= len(ordered):
        raise DatasetError(
            f"{count} groups cannot be taken out of {len(ordered)}: none would be left; "
            "ask for fewer (with --option, e.g. validation_videos=0)"
        )
    drawn = set(random.Random(seed).sample(ordered, count))
    return [group for group in ordered if group not in drawn], sorted(drawn)
