"""Clips and examples on disk."""

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from training.datasets.synthetic.noise import Bytes
from training.datasets.synthetic.scene import render_clip, render_frame

# Seeds that a person chose by looking: two instruments, well lit, nothing in their way.
EXAMPLE_FRAME_SEED = 331
EXAMPLE_CLIP_SEED = 425
_EXAMPLE_JPEG_QUALITY = 90
_ENCODER_THREADS = "2"  # x264 writes other bytes with another number of threads


def write_clip(
    video: Path,
    masks: Path,
    seed: int,
    seconds: float,
    height: int = 480,
    width: int = 640,
    fps: float = 25.0,
    instruments: int | None = None,
    crf: int = 23,
) -> int:
    """Write an H.264 clip (yuv420p, faststart) and its truth; returns the number of frames.

    `masks` ending in .npz becomes one file with `masks` and `instances`, uint8 [N, H, W]; any other name is a folder of
    index PNGs, one a frame. Raises ValueError for sides that yuv420p cannot hold.
    """
    if height % 2 or width % 2:
        raise ValueError(f"a clip of {width}x{height} was asked for; H.264 in yuv420p needs even sides")
    count = max(1, round(seconds * fps))
    truth: list[tuple[Bytes, Bytes]] = []
    with av.open(str(video), "w", options={"movflags": "+faststart"}) as container:
        stream = container.add_stream("libx264", rate=Fraction(fps).limit_denominator(1001))
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.options = {"crf": str(crf), "preset": "medium", "threads": _ENCODER_THREADS}
        for frame in render_clip(seed, count, height, width, fps, instruments):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame.image, format="rgb24")))
            truth.append((frame.mask, frame.instances))
        container.mux(stream.encode(None))
    _write_truth(masks, truth)
    return count


def write_examples(folder: Path) -> list[Path]:
    """Write the pictures that a user without data tries first: frame.jpg (854x480) and clip.mp4 (640x480, 6 s)."""
    folder.mkdir(parents=True, exist_ok=True)
    picture = render_frame(EXAMPLE_FRAME_SEED, 480, 854, instruments=2).image
    frame = folder / "frame.jpg"
    _write_image(frame, picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, _EXAMPLE_JPEG_QUALITY])
    clip = folder / "clip.mp4"
    write_clip(clip, folder / "clip-masks.npz", EXAMPLE_CLIP_SEED, seconds=6.0, instruments=2, crf=22)
    return [frame, clip, folder / "clip-masks.npz"]


def _write_truth(masks: Path, truth: Iterable[tuple[Bytes, Bytes]]) -> None:
    if masks.suffix == ".npz":
        labels, instances = (np.stack(layers) for layers in zip(*truth, strict=True))
        np.savez_compressed(masks, masks=labels, instances=instances)
        return
    masks.mkdir(parents=True, exist_ok=True)
    for index, (labels, _) in enumerate(truth):
        _write_image(masks / f"{index:06d}.png", labels, [])


def _write_image(path: Path, pixels: Bytes, options: list[int]) -> None:
    if not cv2.imwrite(str(path), pixels, options):
        raise OSError(f"{path} could not be written")
