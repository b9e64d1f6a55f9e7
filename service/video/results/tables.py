"""The rows of all segments in one stream, as CSV, JSON lines and Parquet, and as arrays for the analysis."""

import csv
import json
from array import array
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from service.imaging.geometry import U8
from service.video.decoding.index import Segment
from service.video.over_time.analysis import Flags, Floats, temporal_iou
from service.video.over_time.motion import Follower
from service.video.rows import columns
from service.video.segments.work import VideoWork

_ARROW_TYPES = {int: pa.int64(), float: pa.float64(), bool: pa.bool_(), list: pa.list_(pa.list_(pa.float64(), 2))}
_DECIMALS = 6

Row = dict[str, Any]


def read_rows(work: VideoWork, segments: list[Segment]) -> Iterator[list[Row]]:
    """Rows of each segment. A segment does not know what was before it, so its first temporal IoU is set here, and how
    far everything moved."""
    before: U8 | None = None
    follower = Follower(work.class_names, work.diagonal_px)
    for segment in segments:
        part = work.folder / segment.name
        rows = [json.loads(line) for line in (part / "rows.jsonl").read_text().splitlines()]
        if rows:
            with np.load(part / "edges.npz", allow_pickle=False) as edges:
                first, last = edges["first"], edges["last"]
            if before is not None:
                stability = temporal_iou(before, first)
                rows[0]["temporal_iou"] = None if stability is None else round(stability, _DECIMALS)
            before = last
        for row in rows:
            follower.complete(row)
        yield rows


class Series:
    """Rows as columns of numbers: eight bytes a value, so hours of video fit in memory."""

    def __init__(self, class_names: list[str]) -> None:
        self.class_names = class_names
        self._values = {name: array("d") for name, kind in columns(class_names).items() if kind is not list}

    def extend(self, rows: list[Row]) -> None:
        for name, values in self._values.items():
            values.extend(np.nan if row[name] is None else row[name] for row in rows)

    def __getitem__(self, column: str) -> Floats:
        """A column as float64; NaN where there is no value."""
        return np.array(self._values[column], np.float64)

    def seen(self, class_name: str | None = None) -> Flags:
        """Where a class, or any class, is in view."""
        coverage = self["coverage" if class_name is None else f"{class_name}_coverage"]
        flags: Flags = coverage > 0
        return flags

    def most_instances(self) -> Floats:
        """Of each row, the number of instances of the class that has the most."""
        counts: Floats = np.max([self[f"{name}_instances"] for name in self.class_names], axis=0)
        return counts


@dataclass(slots=True)
class _Sinks:
    csv: Any
    jsonl: Any
    parquet: pq.ParquetWriter


class TableWriter:
    """Writes frames.csv, frames.jsonl and frames.parquet into a folder, a segment's rows at a time."""

    def __init__(self, folder: Path, class_names: list[str]) -> None:
        self._folder = folder
        self._names = list(columns(class_names))
        self._schema = pa.schema([(name, _ARROW_TYPES[kind]) for name, kind in columns(class_names).items()])
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        lines = self._stack.enter_context((self._folder / "frames.csv").open("w", newline=""))
        jsonl = self._stack.enter_context((self._folder / "frames.jsonl").open("w"))
        parquet = self._stack.enter_context(pq.ParquetWriter(self._folder / "frames.parquet", self._schema))
        self._sinks = _Sinks(csv.DictWriter(lines, self._names, lineterminator="\n"), jsonl, parquet)
        self._sinks.csv.writeheader()
        return self

    def __exit__(self, *_: Any) -> None:
        self._stack.close()

    def write(self, rows: list[Row]) -> None:
        """In CSV booleans are `true` and `false`, missing values empty, lists as in JSON."""
        if not rows:
            return
        for row in rows:
            self._sinks.csv.writerow({name: _as_text(value) for name, value in row.items()})
            self._sinks.jsonl.write(json.dumps(row) + "\n")
        self._sinks.parquet.write_table(pa.Table.from_pylist(rows, self._schema))


def _as_text(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, bool | list) else value
