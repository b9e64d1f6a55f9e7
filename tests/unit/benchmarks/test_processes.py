"""Processes that the suite starts are counted, measured and ended."""

import http.client
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import processes
from benchmarks.peers.wire import HttpRequest
from benchmarks.processes import (
    environment_of,
    family,
    free_port,
    members,
    memory_mb,
    memory_watch,
    python,
    run,
    settle,
    want_a_core,
)
from benchmarks.serving import Server, ask_once, wait_for
from tests.support.waiting import until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
SLEEPER = [sys.executable, "-c", "import time; time.sleep(600)"]
HOLDER = "import time; held = bytearray(b'x' * (64 << 20)); print(len(held), flush=True); time.sleep(600)"
PARENT = "import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])"


def test_a_command_gives_its_output_and_its_cpu_time() -> None:
    code = "import time\nwhile time.process_time() < 0.3: pass\nprint('done')"
    done = run([sys.executable, "-c", code])
    assert done.output == "done\n"
    assert done.cpu_seconds >= 0.25
    assert done.seconds >= 0.25


def test_a_command_that_fails_says_its_last_lines() -> None:
    with pytest.raises(RuntimeError, match=r"ended with 3: no such clip"):
        run([sys.executable, "-c", "import sys; sys.stderr.write('no such clip'); sys.exit(3)"])


def test_a_command_that_takes_too_long_is_ended() -> None:
    with pytest.raises(RuntimeError, match=r"took more than 0.2 s"):
        run(SLEEPER, timeout_seconds=0.2)


def test_whatever_a_family_started_is_ended_with_it() -> None:
    """The child's child too, although its parent has left it behind."""
    with family() as name:
        with subprocess.Popen([sys.executable, "-c", PARENT], env=environment_of()) as parent:
            parent.wait()
        assert len(members(name)) == 1
    assert members(name) == []


def test_a_family_is_waited_for_until_it_has_come_to_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "_SETTLE_SECONDS", 120.0)
    busy = "import pathlib, sys, time\nwhile time.process_time() < 1.2: pass\npathlib.Path(sys.argv[1]).touch()\n"
    command = [sys.executable, "-c", f"{busy}time.sleep(600)", str(tmp_path / "started")]
    with family() as name, subprocess.Popen(command, env=environment_of()) as process:
        settle(name)
        process.kill()
        assert (tmp_path / "started").exists()


@pytest.mark.parametrize(("states", "wants"), [("SR", True), ("SS", False), ("SD", False), ("", False)])
def test_who_waits_for_a_core_on_a_busy_machine_is_not_at_rest(tmp_path: Path, states: str, wants: bool) -> None:
    for thread, state in enumerate(states, start=7):
        folder = tmp_path / "7/task" / str(thread)
        folder.mkdir(parents=True)
        (folder / "stat").write_text(f"{thread} (a (R) name) {state} 1 7 7 0 -1 0 0 0 0 0 0 0")
    assert want_a_core([7], tmp_path) == wants


def test_families_do_not_end_each_other() -> None:
    with family() as outer, subprocess.Popen(SLEEPER, env=environment_of()) as process:
        with family() as inner, subprocess.Popen(SLEEPER, env=environment_of()) as other:
            assert members(inner) == [other.pid]
            other.kill()
        assert members(outer) == [process.pid]
        process.send_signal(signal.SIGTERM)


async def test_memory_of_a_family_is_watched() -> None:
    with (
        family() as name,
        memory_watch(name) as samples,
        subprocess.Popen([sys.executable, "-c", HOLDER], env=environment_of(), stdout=subprocess.PIPE) as process,  # noqa: ASYNC220
    ):
        assert process.stdout is not None
        process.stdout.readline()
        assert memory_mb([process.pid]) > 64
        await until(lambda: any(megabytes > 64 for _, megabytes in samples))
        process.kill()
    assert all(seconds > 0 for seconds, _ in samples)


def test_a_process_that_has_ended_holds_no_memory() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    assert memory_mb([process.pid]) == 0


def test_a_server_is_waited_for_and_asked(tmp_path: Path) -> None:
    port, log = free_port(), tmp_path / "log"
    request = HttpRequest("GET", "/", {}, b"")
    command = [*python("http.server", str(port)), "--bind", "127.0.0.1", "--directory", str(tmp_path)]
    with family() as name, log.open("wb") as output:
        process = subprocess.Popen(command, env=environment_of(), stdout=output, stderr=output)
        wait_for(Server(port, process, name, log), request)
        assert ask_once(port, request)[0] == http.client.OK
        process.terminate()
        process.wait()


def test_a_server_that_ends_before_it_answers_is_reported_with_its_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("no such model")
    with subprocess.Popen([sys.executable, "-c", "raise SystemExit(4)"]) as process:
        process.wait()
        with pytest.raises(RuntimeError, match=r"it ended with 4; last answer: none; log: no such model"):
            wait_for(Server(free_port(), process, "none", log), HttpRequest("GET", "/", {}, b""))
