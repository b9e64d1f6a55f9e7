"""The application: what it is made of, in visible order."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import PackageNotFoundError, version

from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from service.collect import registry_reader, video_reader
from service.http.middleware import ObserveRequests
from service.http.openapi import DESCRIPTION, install_openapi
from service.http.problems import install_handlers
from service.loading import OpenBackend, open_best
from service.metrics import Metrics
from service.pipeline import Pipeline
from service.registry import Registry
from service.routes import docs, frames, health, models, tus, videos
from service.routes.senders import Senders
from service.settings import Settings
from service.video.jobs.jobs import VideoJobs
from service.video.uploads.arrival import Arrivals
from service.video.uploads.leftovers import keep_swept
from service.video.uploads.resumable import ResumableUploads


def create_app(settings: Settings, *, open_backend: OpenBackend = open_best) -> FastAPI:
    """Load the models and put the app together; raises StartError. Running it starts and ends the rest."""
    metrics = Metrics(CollectorRegistry())
    registry = Registry(settings, metrics, open_backend)
    registry.load_all()
    jobs = VideoJobs(settings)
    metrics.read_when_scraped(registry_reader(registry))
    metrics.read_when_scraped(video_reader(jobs))

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.pipeline = Pipeline(metrics, settings.threads)
        sweeping = asyncio.create_task(keep_swept(jobs.store.data, app.state.resumable))
        try:
            yield
        finally:
            sweeping.cancel()
            app.state.pipeline.close()
            registry.close()
            jobs.close()

    app = FastAPI(
        title="Endomask", version=_version(), description=DESCRIPTION, docs_url=None, redoc_url=None, lifespan=lifespan
    )
    app.state.settings = settings
    app.state.metrics = metrics
    app.state.registry = registry
    app.state.jobs = jobs
    app.state.senders = Senders(settings)
    app.state.resumable = ResumableUploads(jobs.store.data, settings.upload_expires_hours)
    app.state.arrivals = Arrivals(settings, jobs, app.state.resumable)
    app.state.stopping = asyncio.Event()
    app.add_middleware(ObserveRequests, metrics=metrics)
    install_handlers(app)
    app.router.routes.extend(frames.router.routes)  # first, and as they are: an included router is matched twice
    for part in (videos, tus, models, health, docs):
        app.include_router(part.router)
    docs.mount_static(app)
    install_openapi(app)
    return app


def _version() -> str:
    """Of the installed distribution; a bare checkout has none."""
    try:
        return version("endomask")
    except PackageNotFoundError:
        return "0"
