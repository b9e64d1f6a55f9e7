"""Which frames belong together: by a folder of their path, or by a regular expression on it."""

import re
from collections.abc import Callable, Sequence
from pathlib import PurePosixPath

from training.errors import DatasetError

FRAME_UNIT = "frame"
"""Nothing is known of videos or patients: every frame is a group of its own."""

_FOLDER = re.compile(r"folder(?::(\d+))?")


def group_names(names: Sequence[str], group_from: str | None) -> tuple[list[str], str]:
    r"""Paths of frames -> the group of each, and what a group is.

    `group_from` is `folder` or `folder:N` (the N-th folder of the path, the first is 1), or a regular expression with a
    group called `group`, such as `(?P<group>video\d+)_`; without it the folder of a frame is its group where there are
    several folders, and else every frame is one. Raises DatasetError for paths that name no group.
    """
    if group_from is None:
        folders = [PurePosixPath(name).parent.as_posix() for name in names]
        return (folders, "folder") if len(set(folders)) > 1 else (list(names), FRAME_UNIT)
    level = _FOLDER.fullmatch(group_from)
    find = _by_folder(int(level.group(1) or 1)) if level else _by_pattern(group_from)
    groups = [find(name) for name in names]
    without = [name for name, group in zip(names, groups, strict=True) if not group]
    if without:
        raise DatasetError(f"--group-from {group_from!r} finds no group in {len(without)} names: {without[:5]}")
    return [group for group in groups if group], group_from


def _by_folder(level: int) -> Callable[[str], str | None]:
    def find(name: str) -> str | None:
        folders = PurePosixPath(name).parts[:-1]
        return folders[level - 1] if 0 < level <= len(folders) else None

    return find


def _by_pattern(pattern: str) -> Callable[[str], str | None]:
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise DatasetError(f"--group-from {pattern!r} is no regular expression: {error}") from error
    if "group" not in compiled.groupindex:
        raise DatasetError(rf"--group-from {pattern!r} lacks a group called 'group'; e.g. (?P<group>video\d+)_")

    def find(name: str) -> str | None:
        match = compiled.search(name)
        return match["group"] if match else None

    return find
