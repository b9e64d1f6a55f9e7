"""A server's life: take the port, load the models, serve, drain on the first signal, end at once on the second."""

import asyncio
import contextlib
import logging
import os
import signal
import socket
from collections.abc import Callable, Iterator

import cv2
import uvicorn

from service.app import create_app
from service.errors import PortTaken
from service.memory import keep_freed_pages
from service.settings import Settings
from service.supervisor import WORKER_COMMAND, Supervisor, worker_environment
from service.video.segments.threads import worker_count

log = logging.getLogger(__name__)


def serve(settings: Settings, announce: Callable[[str], None]) -> None:
    """Run until SIGINT or SIGTERM; `announce` gets the base address once requests are answered. Raises StartError."""
    listener = take_port(settings.host, settings.port)
    cv2.setNumThreads(1)  # frames run beside each other already
    keep_freed_pages()
    with asyncio.Runner(loop_factory=uvicorn.Config("", loop="auto", log_config=None).get_loop_factory()) as runner:
        runner.run(_serve(settings, listener, announce))


def take_port(host: str, port: int) -> socket.socket:
    """A socket bound to the address, so that a taken port is known before anything is loaded; raises PortTaken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(socket.SOMAXCONN)
    except OSError as error:
        listener.close()
        raise PortTaken(
            f"can't listen on {host}:{port}: {error.strerror}; stop what uses it or choose another port (ENDOMASK_PORT)"
        ) from error
    return listener


async def _serve(settings: Settings, listener: socket.socket, announce: Callable[[str], None]) -> None:
    supervisor = Supervisor(
        WORKER_COMMAND,
        worker_count(settings),
        environment=worker_environment(settings),
        grace_seconds=settings.shutdown_grace_seconds,
    )
    async with supervisor:
        app = await asyncio.to_thread(create_app, settings)
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=max(1, round(settings.shutdown_grace_seconds)),
        )
        server = _Server(config, lambda: announce(_address(listener)), app.state.stopping)
        with _signals(server, supervisor):
            await server.serve(sockets=[listener])
            log.info("drained; stopping the workers")
            await supervisor.stop()


class _Server(uvicorn.Server):
    """uvicorn's server, which says when it is up and leaves the signals to us."""

    def __init__(self, config: uvicorn.Config, on_started: Callable[[], None], stopping: asyncio.Event) -> None:
        super().__init__(config)
        self._on_started = on_started
        self._stopping = stopping

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._on_started()

    def stop(self) -> None:
        """Drain and end; streams that would go on for ever watch `app.state.stopping` and end themselves."""
        self._stopping.set()
        self.should_exit = True

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Nothing: uvicorn would raise the signal again after draining, and end us before the workers are stopped."""
        yield


@contextlib.contextmanager
def _signals(server: _Server, supervisor: Supervisor) -> Iterator[None]:
    """First SIGINT or SIGTERM: drain and stop. Second SIGINT: end now, workers too."""
    loop = asyncio.get_running_loop()

    def on_signal(number: signal.Signals) -> None:
        if server.should_exit and number == signal.SIGINT:
            supervisor.kill()
            os._exit(130)
        server.stop()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, on_signal, number)
    try:
        yield
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
