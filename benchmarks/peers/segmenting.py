"""JPEG -> mask PNG, the same in every peer: what a competent handler of the framework's docs would do.

Runs inside the peers' own environments: numpy, opencv-python-headless and onnxruntime, nothing of Endomask's.
"""

import os
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
import onnxruntime

U8 = npt.NDArray[np.uint8]
THRESHOLD = 128  # of 255: the shipped package's 0.5
V2_TENSOR_IN, V2_TENSOR_OUT = "jpeg", "png"
"""What the peers that speak the Open Inference Protocol call their two tensors."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the benchmark tells a peer's process, by its environment."""

    model_path: str
    port: int
    workers: int
    """Processes, replicas or threads that answer frames at the same time, in the framework's own sense."""
    threads: int
    """ONNX Runtime's threads in each of them; workers * threads is the number of cores."""
    spinning: bool
    """Whether those threads spin while they have no work: ONNX Runtime's default."""

    @classmethod
    def from_environment(cls) -> "Options":
        """Raises KeyError when a variable is missing: a peer is started by the benchmark, never by hand without."""
        names = ("PEER_PORT", "PEER_WORKERS", "PEER_THREADS", "PEER_SPINNING")
        port, workers, threads, spinning = (int(os.environ[name]) for name in names)
        return cls(os.environ["PEER_MODEL"], port, workers, threads, bool(spinning))


class Segmenter:
    """The graph (uint8 [N, h, w, 3] RGB in, uint8 [N, 1, h, w] out, 255 = certain) on ONNX Runtime's CPU provider.

    One frame a run: on a CPU a batch takes longer for each frame, not less (README of the benchmarks).
    """

    def __init__(self, options: Options) -> None:
        cv2.setNumThreads(options.threads)
        session = onnxruntime.SessionOptions()
        session.intra_op_num_threads = options.threads
        session.add_session_config_entry("session.intra_op.allow_spinning", str(int(options.spinning)))
        self._session = onnxruntime.InferenceSession(options.model_path, session, ["CPUExecutionProvider"])
        _, self._height, self._width, _ = self._session.get_inputs()[0].shape

    def segment(self, jpeg: bytes) -> bytes:
        """JPEG -> PNG of class ids at the frame's size. Raises ValueError when it cannot be decoded."""
        frame = decode(jpeg)
        probabilities = self.run(self.prepare(frame)[np.newaxis])
        return encode(restore(probabilities[0], frame.shape[0], frame.shape[1]))

    def prepare(self, bgr: U8) -> U8:
        """BGR uint8 [H, W, 3] -> RGB uint8 [h, w, 3], area-averaged as the package's contract says."""
        small = cv2.resize(bgr, (self._width, self._height), interpolation=cv2.INTER_AREA)
        return np.asarray(cv2.cvtColor(small, cv2.COLOR_BGR2RGB), np.uint8)

    def run(self, frames: U8) -> U8:
        """RGB uint8 [N, h, w, 3] -> probabilities uint8 [N, 1, h, w]."""
        return np.asarray(self._session.run(["probabilities"], {"frames": frames})[0], np.uint8)


def decode(jpeg: bytes) -> U8:
    """JPEG -> BGR uint8 [H, W, 3]. Raises ValueError."""
    frame = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    if frame is None:
        raise ValueError(f"these {len(jpeg)} bytes are no image that OpenCV reads")
    return np.asarray(frame, np.uint8)


def restore(probabilities: U8, height: int, width: int) -> U8:
    """Probabilities uint8 [1, h, w] -> class ids uint8 [H, W]: interpolated, then decided."""
    plane = cv2.resize(probabilities[0], (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(cv2.threshold(plane, THRESHOLD - 1, 1, cv2.THRESH_BINARY)[1], np.uint8)


def encode(labels: U8) -> bytes:
    """Class ids uint8 [H, W] -> PNG at OpenCV's default compression, which is its fastest."""
    return bytes(cv2.imencode(".png", labels)[1])
