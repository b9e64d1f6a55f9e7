"""Clips drawn by hand, red tools on pink at known places, and what the pipeline makes of them."""

import dataclasses
import json
from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path

import av

from service.imaging.geometry import U8
from service.loading import LoadedModel
from service.video.options import VideoOptions
from service.video.pipeline import process_file
from service.video.results.summary import Summary
from tests.support.red import RED, red_frame

HEIGHT, WIDTH, FPS = 96, 128, 10
BOX = (20, 20)
"""Width and height of a tool, on the model's grid of pixels."""
OPTIONS = VideoOptions(segment_seconds=0.5, outputs=("annotated", "frames", "masks"))

Places = Sequence[Sequence[tuple[int, int]]]
"""Of each frame, the upper left corners of its tools."""


def with_tools(places: Sequence[tuple[int, int]]) -> U8:
    rgb = red_frame(HEIGHT, WIDTH, (0, 0, 0, 0))
    for x, y in places:
        rgb[y : y + BOX[1], x : x + BOX[0]] = RED
    return rgb


def write_clip(path: Path, frames: Iterable[U8]) -> Path:
    """Lossless in colour, too: red stays red to its edge."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=Fraction(FPS))
        stream.height, stream.width, stream.pix_fmt = HEIGHT, WIDTH, "yuv444p"
        for rgb in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(rgb, format="rgb24")))
        container.mux(stream.encode(None))
    return path


def run(folder: Path, name: str, clip: Path, model: LoadedModel, **changes: object) -> tuple[Summary, Path]:
    out = folder / name
    options = dataclasses.replace(OPTIONS, **changes)  # type: ignore[arg-type]
    return process_file(clip, out, model, options, lambda _done, _total: None), out


def clip_of(folder: Path, places: Places) -> Path:
    return write_clip(folder / "clip.mkv", map(with_tools, places))


def rows_of(out: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (out / "frames.jsonl").read_text().splitlines()]
