"""Ray Serve: one deployment of as many replicas as workers, behind its HTTP proxy."""

import asyncio

import ray
from ray import serve
from starlette.requests import Request
from starlette.responses import Response

from benchmarks.peers.segmenting import Options, Segmenter


@serve.deployment
class Segment:
    def __init__(self, options: Options) -> None:
        self.segmenter = Segmenter(options)

    async def __call__(self, request: Request) -> Response:
        png = await asyncio.to_thread(self.segmenter.segment, await request.body())
        return Response(png, media_type="image/png")


if __name__ == "__main__":
    options = Options.from_environment()
    cores = options.workers * options.threads
    ray.init(address="local", num_cpus=cores, include_dashboard=False, object_store_memory=200_000_000)
    serve.start(http_options={"host": "127.0.0.1", "port": options.port})
    deployment = Segment.options(num_replicas=options.workers, ray_actor_options={"num_cpus": 0})
    serve.run(deployment.bind(options), route_prefix="/", blocking=True)
