"""Who takes part: the floor in one process, our server, and the peers."""

import json
from collections.abc import Iterator
from typing import Any

from benchmarks.agreement import Reference, read_png
from benchmarks.bench import FRAME_SIZES, Bench, name_of
from benchmarks.client import Answer, Load
from benchmarks.peers.catalogue import Peer
from benchmarks.peers.running import running
from benchmarks.peers.wire import HttpRequest
from benchmarks.processes import python, run
from benchmarks.serving import Server, ask_once, put_under_load, serving
from benchmarks.throughput import Case, Measurement, of_load
from service.backends.cores import available_cores

CLIENTS = (1, 4, 16)
HEADERS = {"mask": {"Accept": "image/png"}, "json": {"Accept": "application/json"}}
SAME_RUNTIME = {"ENDOMASK_BACKEND": "onnxruntime", "ENDOMASK_PRECISION": "fp32"}
"""Settings that give our server the file and the runtime that the peers have."""


class Floor:
    """In one process: one thread, and as many as there are cores."""

    name = "floor"

    def __init__(self, bench: Bench) -> None:
        self._bench = bench

    def measure(self, round_number: int) -> Iterator[Measurement]:
        scale = self._bench.scale
        for size in FRAME_SIZES:
            self._bench.jpeg(size)
            path = self._bench.folder / "frames" / f"{name_of(size)}.jpg"
            for threads in sorted({1, available_cores()}):
                given = ["--threads", str(threads), "--seconds", str(scale.seconds)]
                given += ["--warm-up-seconds", str(scale.warm_up_seconds)]
                command = python("benchmarks.inprocess", str(path), *given)
                measured = json.loads(run(command, endomask_environment(self._bench)).output)
                seen = Load(threads, measured["seconds"], measured["milliseconds"])
                case = Case(name_of(size), "mask", threads)
                yield of_load(self.name, case, round_number, seen, measured["stages"])


class Served:
    """Our server, `python -m service serve`, with the user's settings or `changes` of them."""

    def __init__(self, bench: Bench, name: str, cases: list[Case], reference: Reference, **changes: str) -> None:
        self.name = name
        self._bench = bench
        self._cases = cases
        self._reference = reference
        self._environment = endomask_environment(bench) | changes
        self.active: dict[str, Any] = {}
        """Backend, provider, precision and threads that the default model runs on."""

    def measure(self, round_number: int) -> Iterator[Measurement]:
        folder = self._bench.folder / "served"
        with serving(folder, **self._environment) as server:
            self.active = _active(server, self._bench.settings.default_model)
            for case in self._cases:
                request = HttpRequest(
                    "POST",
                    "/v1/segment",
                    {"Content-Type": "image/jpeg", **HEADERS[case.answer]},
                    self._bench.jpeg(_size_of(case.frame)),
                )
                seen, answer = _under_load(self._bench, server.port, request, case)
                yield of_load(self.name, case, round_number, seen)
                if case in peer_cases():
                    self._reference.compare(self.name, read_png(answer.body))


class PeerServer:
    """A peer, with the same FP32 file, the same JPEG and the same answer wanted: in its layout for one caller (one
    worker with all cores) and in that for many (a worker for each core)."""

    def __init__(self, bench: Bench, peer: Peer, reference: Reference) -> None:
        self.name = peer.name
        self._bench = bench
        self._peer = peer
        self._reference = reference

    def measure(self, round_number: int) -> Iterator[Measurement]:
        bench, peer = self._bench, self._peer
        peer.install()
        request = peer.request(bench.jpeg(FRAME_SIZES[0]))
        for case in peer_cases():
            workers = 1 if case.clients == 1 else None
            with running(peer, bench.onnx, request, bench.folder / "peers", workers) as server:
                seen, answer = _under_load(bench, server.port, request, case)
            yield of_load(self.name, case, round_number, seen)
            self._reference.compare(self.name, peer.read_mask(answer.body, answer.headers))


def served_cases() -> list[Case]:
    frames = [name_of(size) for size in FRAME_SIZES]
    return [Case(frame, answer, clients) for frame in frames for answer in ("mask", "json") for clients in CLIENTS]


def peer_cases() -> list[Case]:
    """What our server and the peers are compared on."""
    return [Case(name_of(FRAME_SIZES[0]), "mask", clients) for clients in (1, 16)]


def endomask_environment(bench: Bench) -> dict[str, str]:
    """One data folder for floor and server, so that both run on the same remembered choice of a backend."""
    settings = bench.settings
    return {"ENDOMASK_DATA_DIR": str(settings.data_dir), "ENDOMASK_MODELS_DIR": str(settings.models_dir)}


def _active(server: Server, model: str) -> dict[str, Any]:
    described = json.loads(ask_once(server.port, HttpRequest("GET", f"/v1/models/{model}", {}, b""))[1])
    return {key: described[key] for key in ("backend", "provider", "precision", "threads")}


def _under_load(bench: Bench, port: int, request: HttpRequest, case: Case) -> tuple[Load, Answer]:
    scale = bench.scale
    return put_under_load(
        port,
        request,
        bench.folder / "load",
        clients=case.clients,
        warm_up_seconds=scale.warm_up_seconds,
        seconds=scale.seconds,
    )


def _size_of(frame: str) -> tuple[int, int]:
    width, height = frame.split("x")
    return int(width), int(height)
