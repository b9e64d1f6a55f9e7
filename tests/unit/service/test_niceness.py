"""A thread that gives way takes what it starts along, and nobody else."""

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from service.niceness import give_way

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere niceness is a process's")


def rank() -> tuple[int, int]:
    thread = threading.get_native_id()
    return os.getpriority(os.PRIO_PROCESS, thread), os.sched_getscheduler(thread)


def rank_of_a_started_thread() -> tuple[int, int]:
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(rank).result()


def rank_of_a_started_process() -> str:
    program = "import os; print(os.getpriority(os.PRIO_PROCESS, 0), os.sched_getscheduler(0))"
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout


def test_a_thread_gives_way_with_all_that_it_starts_and_the_others_stay() -> None:
    def work() -> tuple[tuple[int, int], tuple[int, int], str]:
        give_way(19)
        return rank(), rank_of_a_started_thread(), rank_of_a_started_process()

    before = rank()
    with ThreadPoolExecutor(1) as pool:
        own, thread, process = pool.submit(work).result()
    assert own == thread == (19, os.SCHED_BATCH)
    assert process.split() == ["19", str(os.SCHED_BATCH)]
    assert rank() == before


def test_nothing_asked_for_changes_nothing() -> None:
    before = rank()
    give_way(0)
    assert rank() == before
