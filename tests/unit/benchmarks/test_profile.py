"""CPU time by thread: told apart by name, summed over ended threads, and shared out without a rest."""

import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from benchmarks.named_threads import NATIVE, name_threads
from benchmarks.processes import MARKER, environment_of, family, members, name_of_process
from benchmarks.profile_tables import render
from benchmarks.thread_cpu import ThreadWatch, between, thread_watch
from tests.support.waiting import until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
BUSY = """
import sys, threading, time
may_end = threading.Event()
def burn(seconds):
    until = time.thread_time() + seconds
    while time.thread_time() < until: pass
    may_end.wait()
names = {"short_3": 0.2, "long_1": 0.4}
threads = [threading.Thread(target=burn, args=(seconds,), name=name) for name, seconds in names.items()]
for thread in threads: thread.start()
sys.stdin.readline()
may_end.set()
for thread in threads: thread.join()
print("ended", flush=True)
sys.stdin.read()
"""


async def test_threads_are_told_by_name_also_those_that_have_ended(tmp_path: Path) -> None:
    (tmp_path / "busy.py").write_text(BUSY)
    environment = environment_of()
    environment["PYTHONPATH"] += f"{os.pathsep}{tmp_path}"
    command = [sys.executable, "-m", "benchmarks.named_threads", "busy"]
    with family() as name, thread_watch(name) as watch:
        before = watch.snapshot()
        environment |= {MARKER: name}
        with subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:  # noqa: ASYNC220
            assert process.stdin is not None
            assert process.stdout is not None

            def seconds(thread: str) -> float:
                return between(before, watch.snapshot()).get(("busy", thread), 0.0)

            await until(lambda: seconds("long") > seconds("short") > 0.1)
            process.stdin.write(b"end\n")
            process.stdin.flush()
            assert process.stdout.readline() == b"ended\n"
            used = between(before, watch.snapshot())
            process.communicate()
    assert {process for process, _ in used} == {"busy"}
    assert used["busy", "long"] > used["busy", "short"] > 0


async def test_a_child_that_was_started_without_environment_belongs_to_the_family() -> None:
    code = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import sys; sys.stdin.read()'], env={})"
    command = [sys.executable, "-c", code]
    with family() as name, subprocess.Popen(command, env=environment_of(), stdin=subprocess.PIPE) as process:  # noqa: ASYNC220
        await until(lambda: len(members(name)) == 2)
        assert len({pid for pid, _ in ThreadWatch(name).snapshot()}) == 2
        process.communicate()
    assert members(name) == []


def test_what_was_used_before_the_window_is_left_out_and_a_renamed_thread_is_one() -> None:
    before = {("1", "1"): (("serve", "python"), 2.0), ("1", "2"): (("serve", "idle"), 1.0)}
    after = {
        ("1", "1"): (("serve", "MainThread"), 2.5),
        ("1", "2"): (("serve", "idle"), 1.0),
        ("1", "3"): (("serve", "frame"), 0.25),
        ("1", "4"): (("serve", "frame"), 0.5),
    }
    assert between(before, after) == {("serve", "frame"): 0.75, ("serve", "MainThread"): 0.5}


def test_a_native_thread_does_not_go_by_the_name_of_who_started_it(tmp_path: Path) -> None:
    own = str(threading.get_native_id())
    for task, comm in ((own, Path(sys.executable).name), ("999999", "MainThread"), ("999998", "tbb")):
        (tmp_path / task).mkdir()
        (tmp_path / task / "comm").write_text(f"{comm}\n")
    name_threads(tmp_path)
    assert (tmp_path / own / "comm").read_text() == threading.current_thread().name
    assert (tmp_path / "999999" / "comm").read_text() == NATIVE
    assert (tmp_path / "999998" / "comm").read_text() == "tbb\n"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["/usr/bin/python", "-m", "service", "serve", "--workers", "1"], "service serve"),
        (["python", "-m", "benchmarks.named_threads", "service", "serve"], "service serve"),
        (["python", "-m", "benchmarks.client", "127.0.0.1", "18000"], "benchmarks.client"),
        (["/usr/bin/ffmpeg", "-i", "a.mp4"], "ffmpeg"),
    ],
)
def test_a_process_goes_by_what_it_runs(words: list[str], expected: str, tmp_path: Path) -> None:
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "cmdline").write_bytes("\0".join(words).encode() + b"\0")
    assert name_of_process(7, tmp_path) == expected


def test_the_tables_of_a_profile_add_up_to_all_that_the_cores_had() -> None:
    threads = [{"process": "service serve", "thread": "device", "cpu_ms_per_frame": 12.0, "share": 0.6}]
    seen: dict[str, Any] = {"threads": threads, "cpu_ms_per_frame": 12.0, "frames_per_second": 100.0}
    seen |= {"busy_share": 0.6, "others_share": 0.1, "stolen_share": 0.05, "idle_share": 0.25}
    floor = {"1": {"frames_per_second": 90.0, "cpu_ms_per_frame": 11.0}}
    video = seen | {"clip": "1920x1080", "stages_cpu_ms": {"infer": 7.5, "encode": 4.0}}
    page = "\n".join(render({"frame": "854x480", "clients": {"16": seen}, "floor": floor, "video": video}))
    assert "### 854x480, mask, 16 clients: 100.0 frames/s\n" in page
    assert "| service serve | device | 12 | 60.0 % |\n" in page
    assert "| idle |  | - | 25.0 % |\n" in page
    assert "| 7.5 | 4 | 0.5 |\n" in page
