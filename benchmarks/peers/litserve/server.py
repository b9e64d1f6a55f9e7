"""LitServe: decode_request, predict and encode_response in its inference worker processes."""

from typing import Annotated

import litserve
from fastapi import Body, Response

from benchmarks.peers.segmenting import Options, Segmenter


class SegmentApi(litserve.LitAPI):
    def setup(self, _device: str) -> None:
        self.segmenter = Segmenter(Options.from_environment())

    def decode_request(self, request: Annotated[bytes, Body(media_type="image/jpeg")]) -> bytes:
        return request

    def predict(self, x: bytes) -> bytes:
        return self.segmenter.segment(x)

    def encode_response(self, output: bytes) -> Response:
        return Response(output, media_type="image/png")


if __name__ == "__main__":
    options = Options.from_environment()
    server = litserve.LitServer(
        SegmentApi(api_path="/segment"), accelerator="cpu", workers_per_device=options.workers, timeout=60
    )
    server.run(host="127.0.0.1", port=options.port, num_api_servers=1, generate_client_file=False, log_level="warning")
