"""MLServer: a custom endpoint of a custom runtime, so that JPEG and PNG travel as they are, not in base64."""

from typing import Annotated

from fastapi import Body, Response
from mlserver import MLModel
from mlserver.handlers import custom_handler

from benchmarks.peers.segmenting import Options, Segmenter


class Segment(MLModel):
    async def load(self) -> bool:
        self.segmenter = Segmenter(Options.from_environment())
        return True

    @custom_handler(rest_path="/segment")
    async def segment(self, jpeg: Annotated[bytes, Body(media_type="image/jpeg")]) -> Response:
        return Response(self.segmenter.segment(jpeg), media_type="image/png")
