"""`./run`, as someone on a fresh machine meets it: in a copy of the checkout, in a folder with a space in its name."""

import hashlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.server import ROOT, RunningServer, free_port, processes_of, served_models, stop, wait_until_ready
from training.__main__ import app as training_app

TOOLS = ("bash", "cat", "cut", "dirname", "env", "flock", "grep", "head", "readlink", "rm", "sha256sum", "touch")
DEADLINE_S = 250
"""Of one command: making an environment takes seconds of computing, on a busy machine many times that."""
STAMPED = ("pyproject.toml", "constraints.txt", "deploy/requirements.py")

pytestmark = pytest.mark.timeout(2 * DEADLINE_S + 100)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What `./run serve` needs of the project, and no `.venv`."""
    copy = tmp_path / "a checkout"
    shutil.copytree(ROOT / "service", copy / "service", ignore=shutil.ignore_patterns("__pycache__"))
    (copy / "deploy").mkdir()
    for name in ("run", *STAMPED):
        shutil.copy(ROOT / name, copy / name)
    return copy


@pytest.fixture
def installed(checkout: Path) -> Path:
    """The checkout with the packages of this test's own environment, as an earlier `./run` would have left them."""
    venv = checkout / ".venv"
    venv.mkdir()
    for name in ("bin", "lib"):
        (venv / name).symlink_to(Path(sys.prefix) / name)
    shutil.copy(Path(sys.prefix) / "pyvenv.cfg", venv)
    stamp = hashlib.sha256(b"".join((checkout / name).read_bytes() for name in STAMPED)).hexdigest()
    (venv / ".installed").write_text(f"{stamp} all\n")
    return checkout


@pytest.fixture
def stubbed(checkout: Path) -> Path:
    """The checkout with a Python in `.venv` that installs nothing and writes down what it was asked to do."""
    stub = checkout / ".venv/bin/python"
    stub.parent.mkdir(parents=True)
    stub.write_text('#!/bin/sh\n[ "$1" = -c ] || echo "$@" >>"$CALLS"\n')
    stub.chmod(0o755)
    return checkout


def run(checkout: Path, *arguments: str, cwd: Path = Path("/"), **environment: str) -> subprocess.CompletedProcess[str]:
    env = {name: value for name, value in os.environ.items() if name != "PYTHON"} | environment
    return subprocess.run(
        [checkout / "run", *arguments],
        cwd=cwd,
        env=env,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )


def run_offline(checkout: Path) -> subprocess.CompletedProcess[str]:
    """`serve` with a package index that nobody answers for."""
    result = run(
        checkout,
        "serve",
        PYTHON=sys.executable,
        PIP_CONFIG_FILE=os.devnull,
        PIP_INDEX_URL="http://127.0.0.1:9/simple",
        PIP_FIND_LINKS="",
        PIP_RETRIES="1",
    )
    assert result.returncode != 0
    return result


def path_with(folder: Path, **scripts: str) -> str:
    """A PATH with the tools that `run` uses and no Python but the given scripts."""
    folder.mkdir()
    for tool in TOOLS:
        (folder / tool).symlink_to(str(shutil.which(tool)))
    for name, body in scripts.items():
        (folder / name).write_text(f"#!/bin/sh\n{body}\n")
        (folder / name).chmod(0o755)
    return str(folder)


def said_in_one_sentence(result: subprocess.CompletedProcess[str]) -> str:
    assert result.returncode != 0
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1, result.stderr
    return lines[0]


def calls_of(stubbed: Path, *arguments: str) -> list[str]:
    calls = stubbed / "calls"
    calls.write_text("")
    result = run(stubbed, *arguments, CALLS=str(calls))
    assert result.returncode == 0, result.stderr
    return calls.read_text().splitlines()


def test_help_names_every_command(checkout: Path) -> None:
    result = run(checkout, "help")
    assert result.returncode == 0
    for command in ("serve", "worker", "segment", "video", "train", "test", "check"):
        assert f"\n  {command} " in result.stdout
    assert run(checkout).stdout == result.stdout


def test_every_training_command_is_named_in_the_help_and_runs(stubbed: Path) -> None:
    shown = run(stubbed, "help").stdout
    for command in training_app.registered_commands:
        assert command.callback is not None
        name = command.name or command.callback.__name__.replace("_", "-")
        assert name in shown
        assert calls_of(stubbed, name, "--help")[-1] == f"-m training {name} --help"


def test_an_unknown_command_is_refused(checkout: Path) -> None:
    assert "there is no command fly" in said_in_one_sentence(run(checkout, "fly"))


def test_a_python_that_is_too_old_is_named(checkout: Path, tmp_path: Path) -> None:
    path = path_with(tmp_path / "bin", python3='[ "$1" = --version ] && echo "Python 3.8.10"; exit 1')
    said = said_in_one_sentence(run(checkout, "serve", PATH=path))
    assert "needs Python 3.11 or newer, and python3 is Python 3.8.10" in said
    assert not (checkout / ".venv").exists()


def test_a_machine_without_python_is_told_what_to_install(checkout: Path, tmp_path: Path) -> None:
    said = said_in_one_sentence(run(checkout, "serve", PATH=path_with(tmp_path / "bin")))
    assert "needs Python 3.11 or newer, and there is no python3" in said


def test_a_python_without_venv_is_told_which_package_to_install(checkout: Path, tmp_path: Path) -> None:
    path = path_with(tmp_path / "bin", python3='case "$2" in *venv*) exit 1 ;; esac')
    said = said_in_one_sentence(run(checkout, "serve", PATH=path))
    assert "python3 has no venv module" in said
    assert "python3-venv" in said


def test_an_install_that_fails_says_why_and_the_next_run_begins_anew(checkout: Path) -> None:
    first = run_offline(checkout)
    told, said = first.stderr.strip().splitlines()
    assert told.startswith("Installing")
    assert said.startswith("run: could not install the packages; is the package index reachable? connection broken by")
    leftover = checkout / ".venv/half-written"
    leftover.touch()
    run_offline(checkout)
    assert not leftover.exists()


def test_packages_are_installed_once_for_each_change_of_the_pins(stubbed: Path) -> None:
    first = calls_of(stubbed, "worker")
    assert [call for call in first if call.startswith("-m pip install")]
    assert f"{stubbed}/deploy/requirements.py" in first
    assert calls_of(stubbed, "worker", "--help") == ["-m service worker --help"]
    with (stubbed / "constraints.txt").open("a") as constraints:
        constraints.write("another==1\n")
    assert len(calls_of(stubbed, "worker")) == len(first)


def test_all_extras_hold_the_service_but_not_the_other_way_round(stubbed: Path) -> None:
    calls_of(stubbed, "worker")
    assert f"{stubbed}/deploy/requirements.py --all" in calls_of(stubbed, "train", "--help")
    assert calls_of(stubbed, "segment", "a.jpg") == ["-m service segment a.jpg"]


def test_an_installed_checkout_serves_from_any_folder_and_ctrl_c_leaves_nothing(
    installed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    models_dir, default_model = served_models(tmp_path)
    port, data_dir = free_port(), tmp_path / "data"
    env = os.environ | {
        "ENDOMASK_PORT": str(port),
        "ENDOMASK_DATA_DIR": str(data_dir),
        "ENDOMASK_MODELS_DIR": str(models_dir),
        "ENDOMASK_DEFAULT_MODEL": default_model,
    }
    log, started_at = tmp_path / "log", time.monotonic()
    with log.open("wb") as output:
        process = subprocess.Popen(
            [installed / "run", "serve"], cwd="/", env=env, stdout=output, stderr=output, start_new_session=True
        )
    running = RunningServer(f"http://127.0.0.1:{port}", process, data_dir, log)
    try:
        wait_until_ready(running)
        with capsys.disabled():
            print(f"\n./run serve was ready after {time.monotonic() - started_at:.1f} s")  # noqa: T201
        assert "Installing" not in log.read_text()
        assert f"API docs  {running.url}/docs\nMetrics   {running.url}/metrics\n" in log.read_text()
        assert len(processes_of(data_dir)) == 2, "a server and one worker"
        stop(running, signal.SIGINT)
    finally:
        for pid in processes_of(data_dir):
            os.kill(pid, signal.SIGKILL)


def test_a_taken_port_is_one_sentence(installed: Path, tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        said = said_in_one_sentence(
            run(installed, "serve", ENDOMASK_PORT=port, ENDOMASK_DATA_DIR=str(tmp_path / "data"))
        )
    assert f"127.0.0.1:{port}" in said
    assert "ENDOMASK_PORT" in said
