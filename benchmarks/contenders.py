"""Who takes part: the floor in one process, our server, and the peers."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.agreement import Reference, read_json, read_png
from benchmarks.bench import FRAME_SIZES, Bench, name_of
from benchmarks.client import Answer, Load
from benchmarks.peers.catalogue import Peer
from benchmarks.peers.layouts import Layout
from benchmarks.peers.model import model_for_peers
from benchmarks.peers.running import running
from benchmarks.peers.wire import HttpRequest
from benchmarks.processes import python, run
from benchmarks.serving import Server, ask_once, put_under_load, serving
from benchmarks.statistics import turns
from benchmarks.throughput import Case, Measurement, of_load
from service.backends.cores import available_cores

CLIENTS = (1, 4, 16)
HEADERS = {"mask": {"Accept": "image/png"}, "json": {"Accept": "application/json"}}
READ = {"mask": read_png, "json": read_json}
SAME_RUNTIME = {"ENDOMASK_BACKEND": "onnxruntime", "ENDOMASK_PRECISION": "fp32"}
"""Settings that give our server the file and the runtime that the peers have."""
PROMISING = 0.85
"""Share of the best layout's frames a second below which a peer's layout is measured no more."""


class Floor:
    """In one process: one thread, and as many as there are cores."""

    name = "floor"

    def __init__(self, bench: Bench, reference: Reference) -> None:
        self._bench = bench
        self._reference = reference

    def measure(self, round_number: int) -> Iterator[Measurement]:
        scale = self._bench.scale
        for size in FRAME_SIZES:
            self._bench.jpeg(size)
            path = self._bench.folder / "frames" / f"{name_of(size)}.jpg"
            for threads in sorted({1, available_cores()}):
                given = ["--threads", str(threads), "--seconds", str(scale.seconds)]
                answer = self._bench.folder / "frames" / "floor.png"
                given += ["--warm-up-seconds", str(scale.warm_up_seconds), "--answer", str(answer)]
                command = python("benchmarks.inprocess", str(path), *given)
                measured = json.loads(run(command, endomask_environment(self._bench)).output)
                seen = Load(threads, measured["seconds"], measured["milliseconds"])
                case = Case(name_of(size), "mask", threads)
                yield of_load(self.name, case, round_number, seen, measured["stages"])
                self._reference.compare(self.name, case.frame, read_png(answer.read_bytes()))


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
                self._reference.compare(self.name, case.frame, READ[case.answer](answer.body))


class PeerServer:
    """A peer, with the same FP32 file, the same JPEG and the same answer wanted, in every layout of the cores."""

    def __init__(self, bench: Bench, peer: Peer, reference: Reference, layouts: list[Layout]) -> None:
        self.name = peer.name
        self._bench = bench
        self._peer = peer
        self._reference = reference
        self._layouts = layouts
        self._seen: dict[tuple[Case, Layout], float] = {}
        """Frames a second, the last time."""

    def measure(self, round_number: int) -> Iterator[Measurement]:
        """A layout that fails is told at the end, when the others have been measured. Raises ValueError for a model
        that is not for peers."""
        model = model_for_peers(self._bench.package)
        self._peer.install()
        promising = {layout: [case for case in peer_cases() if self._may_win(case, layout)] for layout in self._layouts}
        failure: Exception | None = None
        for layout in turns([layout for layout, cases in promising.items() if cases], round_number):
            try:
                yield from self._in(layout, model, promising[layout], round_number)
            except Exception as error:  # noqa: BLE001  (others' servers fail in their own ways; the rest is measured)
                failure = RuntimeError(f"{layout.name}: {error}")
        if failure is not None:
            raise failure

    def _in(self, layout: Layout, model: Path, cases: list[Case], round_number: int) -> Iterator[Measurement]:
        bench, peer = self._bench, self._peer
        request = peer.request(bench.jpeg(FRAME_SIZES[0]))
        with running(peer, model, request, bench.folder / "peers", layout) as server:
            for case in cases:
                seen, answer = _under_load(bench, server.port, request, case)
                found = of_load(self.name, case, round_number, seen, layout=layout.name)
                self._seen[case, layout] = found.frames_per_second
                yield found
                self._reference.compare(self.name, case.frame, peer.read_mask(answer.body, answer.headers))

    def _may_win(self, case: Case, layout: Layout) -> bool:
        """One that was far behind the best in its first round is not asked again."""
        best = max((rate for (asked, _), rate in self._seen.items() if asked == case), default=0.0)
        return self._seen.get((case, layout), best) >= PROMISING * best


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
