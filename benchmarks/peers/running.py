"""A peer on a free port, from its first good answer to the end of its last process."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.peers.catalogue import Peer
from benchmarks.peers.layouts import Layout
from benchmarks.peers.wire import HttpRequest
from benchmarks.processes import end, family, free_port, settle
from benchmarks.serving import Server, wait_for


@contextmanager
def running(peer: Peer, model_path: Path, request: HttpRequest, folder: Path, layout: Layout) -> Iterator[Server]:
    """An installed peer that has answered `request`, and of whose workers none is starting any more; its log is
    kept in `folder`.

    Raises RuntimeError when it ends early or gives no good answer in time.
    """
    folder.mkdir(parents=True, exist_ok=True)
    port, log = free_port(), folder / f"{peer.name}.log"
    with family() as name:
        process = peer.start(port, model_path, log, layout)
        try:
            server = Server(port, process, name, log)
            wait_for(server, request)
            settle(name)
            yield server
        finally:
            end(process)
