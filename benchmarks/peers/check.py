"""Does every peer install, start and answer the mask that the service answers for the same file and frame?"""

import http.client
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.machine import ROOT
from benchmarks.peers.catalogue import Peer
from benchmarks.peers.layouts import layouts
from benchmarks.peers.model import model_for_peers
from benchmarks.peers.running import running
from benchmarks.peers.segmenting import U8
from benchmarks.peers.wire import HttpRequest, read_png
from benchmarks.serving import serving
from service.backends.cores import available_cores
from service.cli.segment import newest_package
from service.settings import Settings

LEAST_AGREEMENT = 0.999
"""Share of pixels whose class must be the service's."""
FRAME = ROOT / "examples/frame.jpg"


@dataclass(frozen=True, slots=True)
class Finding:
    """What was seen of one peer. `agreement` is the share of equal pixels; `problem` is empty when all is well."""

    peer: Peer
    agreement: float = 0.0
    ready_seconds: float = 0.0
    problem: str = ""


def check(peers: Sequence[Peer], folder: Path, say: Callable[[str], None]) -> list[Finding]:
    """Each peer in turn; whatever one raises becomes its finding. Raises ValueError for a model not for peers."""
    model = model_for_peers(newest_package(Settings(), None))
    jpeg = FRAME.read_bytes()
    expected = service_mask(jpeg, folder)
    findings = []
    for peer in peers:
        say(f"{peer.title} {peer.version}")
        try:
            findings.append(_ask(peer, model, jpeg, expected, folder))
        except Exception as error:  # noqa: BLE001  (others' servers fail in their own ways; the rest is checked)
            findings.append(Finding(peer, problem=str(error)[-600:]))
    return findings


def service_mask(jpeg: bytes, folder: Path) -> U8:
    """Class ids uint8 [H, W] from our own server, on the same file and runtime."""
    same = {"ENDOMASK_BACKEND": "onnxruntime", "ENDOMASK_PROVIDER": "cpu", "ENDOMASK_PRECISION": "fp32"}
    headers = {"Content-Type": "image/jpeg", "Accept": "image/png"}
    with serving(folder, ENDOMASK_DATA_DIR=str(folder / "data"), **same) as server:
        return read_png(_answer(server.port, HttpRequest("POST", "/v1/segment", headers, jpeg))[0])


def compare(peer: Peer, labels: U8, expected: U8, ready_seconds: float) -> Finding:
    """A finding from two masks of class ids uint8 [H, W]."""
    if labels.shape != expected.shape:
        problem = f"the mask is {labels.shape[::-1]}, the frame {expected.shape[::-1]}"
        return Finding(peer, 0.0, ready_seconds, problem)
    agreement = float(np.mean(labels == expected))
    problem = "" if agreement > LEAST_AGREEMENT else f"less than {LEAST_AGREEMENT:.1%} of the pixels are the service's"
    return Finding(peer, agreement, ready_seconds, problem)


def _ask(peer: Peer, model: Path, jpeg: bytes, expected: U8, folder: Path) -> Finding:
    peer.install()
    request, started_at = peer.request(jpeg), time.monotonic()
    with running(peer, model, request, folder, layouts(available_cores())[0]) as server:
        ready_seconds = time.monotonic() - started_at
        body, headers = _answer(server.port, request)
    return compare(peer, peer.read_mask(body, headers), expected, ready_seconds)


def _answer(port: int, request: HttpRequest) -> tuple[bytes, Mapping[str, str]]:
    """Body and headers. Raises RuntimeError for any status but 200."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request(request.method, request.path, request.body, dict(request.headers))
        response = connection.getresponse()
        body = response.read()
    finally:
        connection.close()
    if response.status != 200:
        raise RuntimeError(f"{request.path} answered {response.status}: {body[:300]!r}")
    return body, dict(response.getheaders())
