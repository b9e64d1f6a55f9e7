"""FastAPI with ONNX Runtime: a plain `def` handler, which FastAPI runs in its thread pool; uvicorn[standard]."""

from typing import Annotated

import uvicorn
from fastapi import Body, FastAPI, Response

from benchmarks.peers.segmenting import Options, Segmenter

app = FastAPI()
segmenter = Segmenter(Options.from_environment())


@app.get("/health")
def health() -> None:
    """Answers once the graph is loaded: it is loaded at import."""


@app.post("/segment")
def segment(jpeg: Annotated[bytes, Body(media_type="image/jpeg")]) -> Response:
    return Response(segmenter.segment(jpeg), media_type="image/png")


if __name__ == "__main__":
    options = Options.from_environment()
    uvicorn.run(
        "benchmarks.peers.fastapi.server:app",
        host="127.0.0.1",
        port=options.port,
        workers=options.workers,
        log_level="warning",
    )
