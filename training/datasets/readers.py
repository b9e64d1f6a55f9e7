"""Name of a source -> its reader."""

from pathlib import Path

from training.datasets import synthetic_frames
from training.datasets.options import Reader, needs_source, parse_options, takes_source
from training.datasets.out_of_body import reader as out_of_body
from training.datasets.published import (
    cholecseg8k,
    endovis2015_rigid,
    endovis2015_robotic,
    gae_robotic_grey,
    kvasir_instrument,
    kvasir_seg,
    sar_rarp50,
    ucl_synthetic,
)
from training.datasets.source import SourceDataset
from training.errors import DatasetError

READERS: dict[str, Reader] = {
    "kvasir-seg": kvasir_seg.read,
    "kvasir-instrument": kvasir_instrument.read,
    "sar-rarp50": sar_rarp50.read,
    "ucl-synthetic": ucl_synthetic.read,
    "cholecseg8k": cholecseg8k.read,
    "endovis2015-rigid": endovis2015_rigid.read,
    "endovis2015-robotic": endovis2015_robotic.read,
    "gae-robotic-grey": gae_robotic_grey.read,
    "synthetic": synthetic_frames.read,
    "out-of-body": out_of_body.read,
}


def open_source(name: str, source: Path | None, **options: str) -> SourceDataset:
    """`options` are the texts of `--option key=value`, typed by the reader's own keyword arguments.

    Raises DatasetError for a name without reader, a source that is missing, and an option that is unknown or wrong.
    """
    if name not in READERS:
        raise DatasetError(f"no reader is called {name!r}; there are {', '.join(READERS)}")
    reader = READERS[name]
    typed = parse_options(reader, options)
    if needs_source(reader) and source is None:
        raise DatasetError(f"{name} needs --source, where its published files lie")
    if not takes_source(reader):
        return reader(**typed)
    if source is not None and not source.exists():
        raise DatasetError(f"{name}: --source {source} does not exist")
    return reader(source, **typed)
