"""`python -m benchmarks.named_threads MODULE ARGUMENT ...` runs a module as `python -m` does, with the names of its
Python threads told to the kernel too, where `top -H` and the profile read them; Python itself does so from 3.14 on.

Threads that a library started without Python are called `native` unless it has named them.
"""

import runpy
import sys
import threading
import time
from pathlib import Path

NATIVE = "native"
LONGEST_NAME = 15
"""The kernel keeps no more characters."""
_PAUSE_SECONDS = 0.25


def name_threads(tasks: Path = Path("/proc/self/task")) -> None:
    """Write each Python thread's name into its `comm`; a native thread begins with the name of whoever started it."""
    names = {str(thread.native_id): thread.name[:LONGEST_NAME] for thread in threading.enumerate()}
    inherited = {*names.values(), Path(sys.executable).name[:LONGEST_NAME]}
    for task in tasks.iterdir():
        try:
            comm = (task / "comm").read_text().strip()
            wanted = names.get(task.name, NATIVE if comm in inherited else comm)
            if comm != wanted:
                (task / "comm").write_text(wanted)
        except OSError:  # it has ended
            continue


def _keep_naming() -> None:
    while True:
        name_threads()
        time.sleep(_PAUSE_SECONDS)


if __name__ == "__main__":
    threading.Thread(target=_keep_naming, name="naming", daemon=True).start()
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
