"""Pages that one frame frees are there for the next."""

import subprocess
import sys

import pytest

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
