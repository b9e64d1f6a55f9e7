"""Which servers Endomask is compared with, and how each is installed, started, asked and read."""

import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.peers.environments import VENVS, install
from benchmarks.peers.layouts import Layout
from benchmarks.peers.segmenting import U8
from benchmarks.peers.wire import HttpRequest, raw_request, read_raw_mask, read_v2_binary_mask, v2_binary_request
from benchmarks.processes import environment_of

HERE = Path(__file__).resolve().parent
OWN_PYTHON = f"{sys.base_prefix}/bin/python{sys.version_info.major}.{sys.version_info.minor}"
SYSTEM_PYTHON = "/usr/bin/python3"


@dataclass(frozen=True, slots=True)
class Wire:
    """How a frame is put to a peer and how its mask is read."""

    path: str
    request: Callable[[str, bytes], HttpRequest]
    read_mask: Callable[[bytes, Mapping[str, str]], U8]


RAW = Wire("/segment", raw_request, read_raw_mask)
V2_BINARY = Wire("/v2/models/segment/infer", v2_binary_request, read_v2_binary_mask)


@dataclass(frozen=True, slots=True)
class Peer:
    """One server of another framework, with the same graph behind it."""

    name: str
    """Its folder here and its environment's name."""
    title: str
    distribution: str
    """What carries the framework's version in `requirements.txt`."""
    program: tuple[str, ...]
    """Command line inside the environment's `bin`; `{port}` is the port."""
    wire: Wire = RAW
    python: str = OWN_PYTHON
    environment: Mapping[str, str] = field(default_factory=dict)
    """Beyond what all get; `{port}`, `{workers}` and `{home}`, a folder of its own, are filled in."""
    venvs: Path = VENVS
    """Where the environments lie."""

    @property
    def requirements(self) -> Path:
        return HERE / self.name / "requirements.txt"

    @property
    def version(self) -> str:
        """As pinned. Raises ValueError when it is not."""
        pinned = re.search(rf"^{re.escape(self.distribution)}==(\S+)$", self.requirements.read_text(), re.MULTILINE)
        if pinned is None:
            raise ValueError(f"{self.requirements} does not pin {self.distribution}")
        return pinned[1]

    def install(self) -> Path:
        """Folder of the environment, made if need be. Raises InstallFailed."""
        return install(self.name, self.requirements, self.python, self.venvs)

    def request(self, jpeg: bytes) -> HttpRequest:
        return self.wire.request(self.wire.path, jpeg)

    def read_mask(self, body: bytes, headers: Mapping[str, str]) -> U8:
        """A good answer -> class ids uint8 [H, W]. Raises UnreadableAnswer."""
        return self.wire.read_mask(body, headers)

    def start(self, port: int, model_path: Path, log: Path, layout: Layout) -> "subprocess.Popen[bytes]":
        """The server on 127.0.0.1:`port`, writing to `log`; wait for its first good answer, then ask.

        Start it inside `processes.family()`, which ends what it starts.
        """
        venv = self.venvs / self.name
        home = venv / "home"
        home.mkdir(exist_ok=True)
        known = {"port": str(port), "workers": str(layout.workers), "home": str(home)}
        options = {"PEER_MODEL": str(model_path.resolve()), "PEER_PORT": str(port)}
        options |= {"PEER_WORKERS": str(layout.workers), "PEER_THREADS": str(layout.threads), "HOME": str(home)}
        options["PEER_SPINNING"] = str(int(layout.spinning))
        given = {name: value.format(**known) for name, value in self.environment.items()}
        program = [part.format(**known) for part in self.program]
        with log.open("wb") as output:
            return subprocess.Popen(
                [str(venv / "bin" / program[0]), *program[1:]],
                cwd=home,
                env=environment_of(**options, **given),
                stdout=output,
                stderr=output,
            )


def _module(name: str) -> tuple[str, ...]:
    return ("python", "-m", f"benchmarks.peers.{name}.server")


PEERS = (
    Peer("fastapi", "FastAPI + ONNX Runtime", "fastapi", _module("fastapi")),
    Peer("litserve", "LitServe", "litserve", _module("litserve")),
    Peer(
        "bentoml",
        "BentoML",
        "bentoml",
        ("bentoml", "serve", "benchmarks.peers.bentoml.server:Segment", "--host", "127.0.0.1", "--port", "{port}"),
        environment={"BENTOML_DO_NOT_TRACK": "True", "BENTOML_HOME": "{home}"},
    ),
    Peer(
        "mlserver",
        "MLServer",
        "mlserver",
        ("mlserver", "start", str(HERE / "mlserver")),
        environment={
            "MLSERVER_HOST": "127.0.0.1",
            "MLSERVER_HTTP_PORT": "{port}",
            "MLSERVER_GRPC_PORT": "0",
            "MLSERVER_METRICS_PORT": "0",
            "MLSERVER_METRICS_DIR": "{home}",
            "MLSERVER_PARALLEL_WORKERS": "{workers}",
            "MLSERVER_DEBUG": "false",
        },
    ),
    Peer(
        "mosec",
        "mosec",
        "mosec",
        _module("mosec"),
        environment={"MOSEC_ADDRESS": "127.0.0.1", "MOSEC_PORT": "{port}", "MOSEC_TIMEOUT": "60000"},
    ),
    Peer(
        "ray_serve",
        "Ray Serve",
        "ray",
        _module("ray_serve"),
        # The second name is Ray's own, on every system: without it Ray listens on the machine's outer address.
        environment={"RAY_USAGE_STATS_ENABLED": "0", "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"},
    ),
    Peer(
        "triton",
        "NVIDIA Triton (pytriton)",
        "nvidia-pytriton",
        _module("triton"),
        wire=V2_BINARY,
        python=SYSTEM_PYTHON,
    ),
)
