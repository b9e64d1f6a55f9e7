"""What only OpenVINO does: bfloat16 when asked for and never unasked, and calls from several threads."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from service.backends.openvino import OpenVinoBackend, native_precisions
from service.errors import ProviderUnavailable
from tests.support.red import red_frame, red_probabilities, write_red_package

pytest.importorskip("openvino")


def test_runs_from_several_threads_do_not_mix_their_answers(tmp_path: Path) -> None:
    backend = OpenVinoBackend(write_red_package(tmp_path), precision="fp32", threads=1)
    frames = [red_frame(64, 96, (index, index, 20, 20))[None] for index in range(24)]
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(backend.run, frames))
    assert all((answer == red_probabilities(frame)).all() for answer, frame in zip(answers, frames, strict=True))


def test_another_provider_than_the_cpu_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ProviderUnavailable, match=r"runs on the CPU here, not on cuda \(ENDOMASK_PROVIDER\)"):
        OpenVinoBackend(write_red_package(tmp_path), provider="cuda", precision="fp32", threads=1)


def test_bf16_is_the_fp32_file_where_the_cpu_computes_in_it_and_refused_elsewhere(tmp_path: Path) -> None:
    package = write_red_package(tmp_path)
    if "bf16" not in native_precisions():
        with pytest.raises(ProviderUnavailable, match="does not compute in bf16"):
            OpenVinoBackend(package, precision="bf16", threads=1)
        return
    backend = OpenVinoBackend(package, precision="bf16", threads=1)
    frames = np.stack([red_frame(64, 96)])
    assert backend.precision == "bf16"
    assert (backend.run(frames) == red_probabilities(frames)).all()


def test_importing_openvino_sends_nothing_to_its_makers() -> None:
    program = """
import socket, sys
def refuse(*arguments, **options):
    raise SystemExit(f"a connection was tried: {arguments}")
socket.getaddrinfo = socket.create_connection = refuse
from service.backends.openvino import import_openvino
import_openvino()
stub = sys.modules["openvino.tools.ovc.telemetry_utils"].tm.__name__
print(stub)
"""
    quiet = {key: value for key, value in os.environ.items() if key != "CI"}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=quiet, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "openvino.tools.ovc.telemetry_stub"), done.stderr
