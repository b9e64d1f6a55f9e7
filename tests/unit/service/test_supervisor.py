"""Worker processes: started again, stopped in order, never left behind."""

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from service.settings import Settings
from service.supervisor import Supervisor, worker_environment
from tests.support.waiting import until


def supervise(code: str, count: int = 1, grace_seconds: float = 300) -> Supervisor:
    command = (sys.executable, "-c", textwrap.dedent(code))
    return Supervisor(command, count, environment=dict(os.environ), grace_seconds=grace_seconds)


def read_lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


async def lines(path: Path, count: int) -> list[str]:
    """The lines of a file that processes append to, once there are enough."""
    await until(lambda: len(read_lines(path)) >= count)
    return read_lines(path)


def start(code: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)])


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


WRITE_PID = "import os, sys, signal, time; open({path!r}, 'a').write(f'{{os.getpid()}}\\n')\n"


async def test_a_worker_that_dies_is_started_again(tmp_path: Path) -> None:
    path = tmp_path / "pids"
    async with supervise(WRITE_PID.format(path=str(path)) + "sys.exit(3)"):
        pids = await lines(path, 2)
    assert len(set(pids)) == len(pids)


async def test_leaving_stops_every_worker_with_sigterm(tmp_path: Path) -> None:
    path, ended = tmp_path / "pids", tmp_path / "ended"
    code = f"""
    import os, signal, sys
    def end(*_):
        open({str(ended)!r}, "a").write("ended\\n")
        sys.exit(0)
    signal.signal(signal.SIGTERM, end)
    open({str(path)!r}, "a").write(f"{{os.getpid()}}\\n")
    signal.pause()
    """
    async with supervise(code, count=2) as supervisor:
        pids = [int(line) for line in await lines(path, 2)]
        assert sorted(supervisor.pids) == sorted(pids)
    assert ended.read_text().split() == ["ended", "ended"]
    assert not any(alive(pid) for pid in pids)


async def test_a_worker_that_ignores_sigterm_is_killed_after_the_grace(tmp_path: Path) -> None:
    path = tmp_path / "pids"
    code = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + WRITE_PID.format(path=str(path))
    async with supervise(code + "time.sleep(3600)", grace_seconds=0.2):
        (pid,) = await lines(path, 1)
    assert not alive(int(pid))


async def test_a_worker_goes_when_its_parent_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "pids"
    worker = WRITE_PID.format(path=str(path)).replace(
        "import os", "from service.supervisor import exit_with_parent; exit_with_parent(0.1); import os"
    )
    worker += "signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(3600)"
    parent = f"""
    import asyncio, os, sys
    from service.supervisor import Supervisor
    async def main():
        async with Supervisor((sys.executable, "-c", {worker!r}), 1, environment=dict(os.environ), grace_seconds=9):
            await asyncio.sleep(3600)
    asyncio.run(main())
    """
    process = start(parent)
    try:
        (pid,) = await lines(path, 1)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    await until(lambda: not alive(int(pid)))


async def test_a_worker_shares_the_servers_session_and_not_its_process_group(tmp_path: Path) -> None:
    """So Ctrl-C does not reach it, and Linux weighs its niceness against the server's."""
    path = tmp_path / "pids"
    code = "from service.supervisor import exit_with_parent; exit_with_parent(9)\n" + WRITE_PID.format(path=str(path))
    async with supervise(code + "time.sleep(3600)"):
        (pid,) = await lines(path, 1)
        assert os.getsid(int(pid)) == os.getsid(0)
        assert os.getpgid(int(pid)) == int(pid)


def test_the_servers_own_event_loop_starts_workers(tmp_path: Path) -> None:
    """uvloop takes fewer options of a subprocess than asyncio."""
    uvloop = pytest.importorskip("uvloop")
    path = tmp_path / "pids"

    async def start_one() -> None:
        async with supervise(WRITE_PID.format(path=str(path)) + "time.sleep(3600)"):
            await lines(path, 1)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(start_one())


async def test_a_worker_that_can_not_be_started_is_told_of_and_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    supervisor = Supervisor(("/no/such/program",), 1, environment=dict(os.environ), grace_seconds=30)
    async with supervisor:
        await until(lambda: caplog.text.count("video worker 0 can't be started") >= 2)


def test_a_worker_gets_the_settings_of_the_command_line(monkeypatch: pytest.MonkeyPatch) -> None:
    given = Settings(port=8123, data_dir=Path("elsewhere"), segment_seconds=3)
    for name, value in worker_environment(given).items():
        if name.startswith("ENDOMASK_"):
            monkeypatch.setenv(name, value)
    assert Settings() == given
