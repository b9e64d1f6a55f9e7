"""NVIDIA Triton by pytriton: its own HTTP server and batcher, the frames in an inference callable."""

import tempfile
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt
from pytriton.model_config import ModelConfig, Tensor
from pytriton.proxy.types import Request
from pytriton.triton import Triton, TritonConfig

from benchmarks.peers.segmenting import V2_TENSOR_IN, V2_TENSOR_OUT, Options, Segmenter

Answer = dict[str, npt.NDArray[np.object_]]


class Inference:
    """Triton's dynamic batcher hands over as many requests as there are workers; each is a frame, BYTES [1, 1].

    One instance with threads, not an instance for each worker: the second one would have to find the first one's socket
    within a second of its own start, or the model is not loaded (pytriton's issue 109).
    """

    def __init__(self, options: Options) -> None:
        self.segmenter = Segmenter(options)
        self.workers = ThreadPoolExecutor(options.workers)

    def __call__(self, requests: list[Request]) -> list[Answer]:
        return list(self.workers.map(self._answer, requests))

    def _answer(self, request: Request) -> Answer:
        png = self.segmenter.segment(request.data[V2_TENSOR_IN][0, 0])
        return {V2_TENSOR_OUT: np.array([[png]], dtype=object)}


if __name__ == "__main__":
    options = Options.from_environment()
    config = TritonConfig(
        http_address="127.0.0.1", http_port=options.port, allow_grpc=False, allow_metrics=False, log_verbose=0
    )
    # Its sockets lie in the workspace, and a socket's path may have 107 characters.
    with (
        tempfile.TemporaryDirectory(prefix="triton-") as folder,
        Triton(config=config, workspace=f"{folder}/workspace") as triton,
    ):
        triton.bind(
            model_name="segment",
            infer_func=Inference(options),
            inputs=[Tensor(name=V2_TENSOR_IN, dtype=bytes, shape=(1,))],
            outputs=[Tensor(name=V2_TENSOR_OUT, dtype=bytes, shape=(1,))],
            config=ModelConfig(batching=True, max_batch_size=options.workers),
        )
        triton.serve()
