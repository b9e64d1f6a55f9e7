"""Pages that one frame frees are there for the next, and what one video frees for the next one."""

import ctypes
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.red import write_red_package

COUNT_FAULTS = """
import resource, sys, threading
import numpy as np
from service.memory import keep_freed_pages

kept = keep_freed_pages() if sys.argv[1] == "keep" else False

def work():
    for _ in range(100):
        arrays = [np.empty(2_000_000, np.uint8) for _ in range(6)]
        for array in arrays:
            array[::4096] = 1
        del arrays, array

before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
thread = threading.Thread(target=work)
thread.start()
thread.join()
print(kept, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def count_faults(how: str) -> tuple[str, int]:
    found = subprocess.run([sys.executable, "-c", COUNT_FAULTS, how], capture_output=True, text=True, check=True)
    kept, faults = found.stdout.split()
    return kept, int(faults)


@pytest.mark.skipif(sys.platform != "linux", reason="only glibc gives pages back that fast")
def test_large_arrays_are_faulted_in_once() -> None:
    kept, faults = count_faults("keep")
    if kept == "False":
        pytest.skip("this C library has no mallopt")
    assert faults < 0.2 * count_faults("leave")[1]


COUNT_HEAPS = """
import ctypes, logging, os, signal, sys, threading
from pathlib import Path

def count_heaps():
    library, path = ctypes.CDLL(None), Path(sys.argv[1], "heaps.xml")
    library.fopen.restype = ctypes.c_void_p
    file = ctypes.c_void_p(library.fopen(bytes(path), b"w"))
    library.malloc_info(0, file)
    library.fclose(file)
    return path.read_text().count("<heap nr=")
"""
IN_THREADS = """
from service.memory import share_heaps

if sys.argv[2] == "share":
    share_heaps()
begun, counted = threading.Barrier(13), threading.Event()

def allocate():
    ctypes.CDLL(None).malloc(100_000)
    begun.wait()
    counted.wait()

for _ in range(12):
    threading.Thread(target=allocate).start()
begun.wait()
print(count_heaps())
counted.set()
"""
IN_A_WORKER = """
from service.settings import Settings
from service.video.workers import worker

class AtWork(logging.Handler):
    def emit(self, record):
        if record.getMessage().endswith("takes videos"):
            print(count_heaps())
            os.kill(os.getpid(), signal.SIGTERM)

worker.log.setLevel(logging.INFO)
worker.log.addHandler(AtWork())
folder = Path(sys.argv[1])
worker.run(Settings(data_dir=folder / "data", models_dir=folder / "models", default_model="red"))
"""
needs_glibc = pytest.mark.skipif(
    sys.platform != "linux" or not hasattr(ctypes.CDLL(None), "malloc_info"), reason="only glibc has several heaps"
)


def heaps(code: str, *arguments: str) -> int:
    command = [sys.executable, "-c", COUNT_HEAPS + code, *arguments]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr
    return int(found.stdout)


@needs_glibc
def test_threads_share_two_heaps(tmp_path: Path) -> None:
    assert heaps(IN_THREADS, str(tmp_path), "share") == 2
    assert heaps(IN_THREADS, str(tmp_path), "leave") > 2


@needs_glibc
def test_a_video_worker_shares_them(tmp_path: Path) -> None:
    write_red_package(tmp_path / "models")
    assert heaps(IN_A_WORKER, str(tmp_path)) == 2
