"""Do all answer the same mask? Every contender's is compared with the FP32 file's in ONNX Runtime."""

import io
import json

import numpy as np
from PIL import Image
from pycocotools import mask as coco

from benchmarks.bench import FRAME_SIZES, Bench, name_of
from service.backends.onnxruntime import OnnxRuntimeBackend
from service.imaging.geometry import U8
from service.pipeline import FrameOptions, StageTimes, close_frame, open_frame


class Reference:
    """Class ids uint8 [H, W] of the example frame at each size, and how well those of the contenders agree."""

    def __init__(self, labels: dict[str, U8]) -> None:
        self.labels = labels
        self.dice: dict[str, float] = {}
        """Lowest Dice of each contender, over its cases and rounds."""

    @classmethod
    def of(cls, bench: Bench) -> "Reference":
        """Made in this process, by the service's functions."""
        backend = OnnxRuntimeBackend(bench.package, provider="cpu", precision="fp32", threads=1)
        manifest, times = bench.package.manifest, StageTimes()
        options = FrameOptions(bench.settings.max_frame_megapixels, instances=False)
        labels = {}
        for size in FRAME_SIZES:
            opened = open_frame(bench.jpeg(size), "image/jpeg", manifest.input.spec(), options, times)
            probabilities = backend.run(opened.prepared[None])[0]
            labels[name_of(size)] = close_frame(opened, probabilities, manifest, options, times).labels
        return cls(labels)

    def compare(self, contender: str, frame: str, labels: U8) -> None:
        """Raises ValueError when the mask has another size than the frame."""
        expected = self.labels[frame]
        if labels.shape != expected.shape:
            raise ValueError(f"the mask is {labels.shape[::-1]}, the frame {expected.shape[::-1]}")
        found = dice(expected, labels)
        self.dice[contender] = round(min(found, self.dice.get(contender, 1.0)), 5)


def dice(one: U8, other: U8) -> float:
    """2 |A and B| / (|A| + |B|) of class ids, mean over the classes that either shows; 1 when both show none.

    Dice (1945), Measures of the amount of ecologic association between species.
    """
    ids = sorted({*np.unique(one).tolist(), *np.unique(other).tolist()} - {0})
    scores = [2 * np.sum((one == k) & (other == k)) / (np.sum(one == k) + np.sum(other == k)) for k in ids]
    return float(np.mean(scores)) if scores else 1.0


def read_png(body: bytes) -> U8:
    """Indexed or grey PNG -> its pixel values uint8 [H, W]."""
    return np.asarray(Image.open(io.BytesIO(body)), np.uint8)


def read_json(body: bytes) -> U8:
    """JSON of a frame with run lengths as COCO has them -> class ids uint8 [H, W]."""
    mask = json.loads(body)["mask"]
    labels = np.zeros(mask["size"], np.uint8)
    for label, counts in mask["counts"].items():
        labels[coco.decode({"size": mask["size"], "counts": counts}) > 0] = int(label)
    return labels
