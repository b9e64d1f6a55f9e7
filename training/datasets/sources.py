"""Name of a source -> its reader."""

from collections.abc import Callable
from pathlib import Path

from training.datasets import (
    endovis2015_rigid,
    endovis2015_robotic,
    gae_robotic_grey,
    kvasir_seg,
    synthetic_frames,
)
from training.datasets.base import SourceDataset
from training.errors import DatasetError

READERS: dict[str, Callable[[Path], SourceDataset]] = {
    "kvasir-seg": kvasir_seg.read,
    "endovis2015-rigid": endovis2015_rigid.read,
    "endovis2015-robotic": endovis2015_robotic.read,
    "gae-robotic-grey": gae_robotic_grey.read,
}
SYNTHETIC = "synthetic"


def open_source(name: str, folder: Path | None) -> SourceDataset:
    """Raises DatasetError for a name without reader, and for a folder that is missing."""
    if name == SYNTHETIC:
        return synthetic_frames.read()
    if name not in READERS:
        raise DatasetError(f"no reader is called {name!r}; there are {', '.join([*READERS, SYNTHETIC])}")
    if folder is None or not folder.is_dir():
        raise DatasetError(f"{name} needs --source, the folder of its published files; got {folder}")
    return READERS[name](folder)
