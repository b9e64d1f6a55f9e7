"""What a video's way to the model's input changes in the masks: `python -m benchmarks.model_input [DATASETS]`.

Frames of the three robotic clips of EndoVis 2015 (`python -m training prepare endovis2015-robotic`), each encoded as
YUV 4:2:0 once: the whole frame turned into RGB and shrunk by `INTER_AREA`, against planes that are shrunk first. All of
a model's classes but the background count as the instrument that the annotators drew.
"""

import sys
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import TypeAlias

import av
import cv2
import numpy as np

from benchmarks.agreement import dice, read_png
from service.backends.openvino import OpenVinoBackend
from service.cli.segment import newest_package
from service.imaging.codecs import decode
from service.imaging.geometry import U8, InputSpec, content_box, decide, prepare, restore
from service.settings import Settings
from service.video.decoding.pictures import write_picture
from service.video.decoding.planes import Colour, Planes, to_model_input

CLIPS = ("Dataset1", "Dataset2", "Dataset3")
SIZES = ((576, 720), (1080, 1920))
Size: TypeAlias = tuple[int, int]
"""Height and width in pixels."""
_EVERY = 3


def main(datasets: Path) -> None:
    package = newest_package(Settings(), None)
    spec, threshold = package.manifest.input.spec(), package.manifest.threshold
    backend = OpenVinoBackend(package, precision="int8", threads=1)

    def mask(prepared: U8, frame_size: Size, size: Size) -> U8:
        return foreground(backend.run(prepared[None])[0], spec, threshold, frame_size, size)

    for clip, size in product(CLIPS, SIZES):
        paths = sorted((datasets / "endovis2015-robotic" / "images").glob(f"{clip}_*.png"))[::_EVERY]
        scores = [_compare(path, size, spec, mask) for path in paths]
        sys.stdout.write(f"{clip} {size[1]}x{size[0]}, {len(scores)} frames: {_describe(scores)}\n")


def area_averaged(rgb: U8, spec: InputSpec) -> U8:
    """RGB uint8 [H, W, 3] -> model input uint8 [h, w, 3] as `geometry.prepare` has it, but shrunk by `INTER_AREA`."""
    box = content_box(spec, rgb.shape[0], rgb.shape[1])
    shrunk = np.asarray(cv2.resize(rgb, (box.width, box.height), interpolation=cv2.INTER_AREA), np.uint8)
    return prepare(shrunk, spec, (rgb.shape[0], rgb.shape[1]))


def foreground(probabilities: U8, spec: InputSpec, threshold: float, frame_size: Size, size: Size) -> U8:
    """Probabilities uint8 [C, h, w] of a frame of `frame_size` -> uint8 [H, W] of `size`: 1 where any class is."""
    box = content_box(spec, *frame_size)
    inside = probabilities[:, box.top : box.top + box.height, box.left : box.left + box.width]
    labels = decide(restore(inside, InputSpec(box.height, box.width), *size), threshold)
    return np.asarray(np.minimum(labels, 1), np.uint8)


def _compare(path: Path, size: Size, spec: InputSpec, mask: Callable[[U8, Size, Size], U8]) -> tuple[float, ...]:
    """Dice with the annotators' mask of the one way and of the other, and of both with each other."""
    labels = read_png((path.parents[1] / "masks" / path.name).read_bytes())
    truth = np.asarray(np.minimum(labels, 1), np.uint8)
    frame, annotated = _frame(path, size), (truth.shape[0], truth.shape[1])
    whole = mask(area_averaged(np.asarray(frame.to_ndarray(format="rgb24"), np.uint8), spec), size, annotated)
    planes = mask(to_model_input(_planes(frame), spec), size, annotated)
    return dice(truth, whole), dice(truth, planes), dice(whole, planes)


def _describe(scores: list[tuple[float, ...]]) -> str:
    of_whole, of_planes, between = np.array(scores).T
    gained = of_planes - of_whole
    return (
        f"{of_whole.mean():.4f}, {of_planes.mean():.4f}, {gained.mean():+.4f} ({np.abs(gained).max():.4f}); "
        f"Dice between the masks {between.mean():.4f}"
    )


def _frame(path: Path, size: Size) -> av.VideoFrame:
    rgb = decode(path.read_bytes(), content_type="image/png", max_megapixels=50)
    if rgb.shape[:2] != size:
        rgb = np.asarray(cv2.resize(rgb, size[::-1], interpolation=cv2.INTER_LANCZOS4), np.uint8)
    return av.VideoFrame.from_ndarray(rgb, format="rgb24").reformat(format="yuv420p")


def _planes(frame: av.VideoFrame) -> Planes:
    empty = Planes.empty(frame.height, frame.width, Colour())
    header = write_picture(frame, 0, (empty.y, empty.u, empty.v))
    colour = Colour(header.space, header.range, header.primaries, header.transfer)
    return Planes.empty(frame.height, frame.width, colour, empty.frame)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("datasets"))
