"""Whether a model has seen the frames that it is to be scored on."""

from pathlib import Path

from training.config import DataUse, Preset
from training.datasets.reading import Dataset
from training.datasets.selection import select
from training.errors import PresetError


def used_groups(uses: list[DataUse], data: str, datasets: Path) -> set[str]:
    """Groups of the data set `data` of which `uses` take at least one frame, under whatever name they call it."""
    root = (datasets / data).resolve()
    own = [use for use in uses if (datasets / use.data).resolve() == root]
    return {sample.group for use in own for sample in select(Dataset(root), use)}


def refuse_leaks(preset: Preset, scored: list[DataUse], datasets: Path, who: str) -> None:
    """Raises PresetError when a group of `scored` lies in what `preset` trained on, or chose its best epoch by."""
    seen = [("trained on", preset.train)]
    if preset.selection == "best":
        seen.append(("chose its epoch by", preset.validation))
    for data in sorted({use.data for use in scored}):
        held_out = used_groups(scored, data, datasets)
        for verb, uses in seen:
            if leaked := used_groups(uses, data, datasets) & held_out:
                raise PresetError(f"{who} {verb} {_name(leaked)} of {data}, which it would be scored on")


def _name(groups: set[str]) -> str:
    names = sorted(groups)
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
