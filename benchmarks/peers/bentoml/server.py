"""BentoML: one synchronous endpoint whose positional-only argument takes the body as it is."""

from typing import Annotated

import bentoml
from bentoml.validators import ContentType

from benchmarks.peers.segmenting import Options, Segmenter

OPTIONS = Options.from_environment()


@bentoml.service(workers=OPTIONS.workers, traffic={"timeout": 60}, logging={"access": {"enabled": False}})
class Segment:
    def __init__(self) -> None:
        self.segmenter = Segmenter(OPTIONS)

    @bentoml.api(route="/segment")
    def segment(self, jpeg: bytes, /) -> Annotated[bytes, ContentType("image/png")]:
        return self.segmenter.segment(jpeg)
