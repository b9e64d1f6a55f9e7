"""NVIDIA Triton by pytriton: its own HTTP server, each worker an inference callable in a process of its own."""

import tempfile

import numpy as np
import numpy.typing as npt
from pytriton.model_config import ModelConfig, Tensor
from pytriton.proxy.types import Request
from pytriton.triton import Triton, TritonConfig

from benchmarks.peers.segmenting import V2_TENSOR_IN, V2_TENSOR_OUT, Options, Segmenter

Answer = dict[str, npt.NDArray[np.object_]]


class Inference:
    """Callable of one worker; Triton hands it requests of one frame each, BYTES [1]."""

    def __init__(self, options: Options) -> None:
        self.segmenter = Segmenter(options)

    def __call__(self, requests: list[Request]) -> list[Answer]:
        return [self._answer(request.data[V2_TENSOR_IN]) for request in requests]

    def _answer(self, jpegs: npt.NDArray[np.object_]) -> Answer:
        return {V2_TENSOR_OUT: np.array([self.segmenter.segment(jpegs[0])], dtype=object)}


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
            infer_func=[Inference(options) for _ in range(options.workers)],
            inputs=[Tensor(name=V2_TENSOR_IN, dtype=bytes, shape=(1,))],
            outputs=[Tensor(name=V2_TENSOR_OUT, dtype=bytes, shape=(1,))],
            config=ModelConfig(batching=False),
        )
        triton.serve()
