"""Standing back for others on the same cores: videos must not delay frames."""

import logging
import os
import threading

log = logging.getLogger(__name__)


def give_way(niceness: int) -> None:
    """Have the calling thread, and the threads and processes that it starts from now on, run when others leave a core
    free: 0 changes nothing, 19 is the furthest. It can't be taken back.

    Linux counts niceness inside a session only (autogroup, man sched): who gives way shares it with whom that is for.
    """
    thread = threading.get_native_id()
    if niceness <= os.getpriority(os.PRIO_PROCESS, thread):
        return
    try:
        os.setpriority(os.PRIO_PROCESS, thread, niceness)
        if hasattr(os, "SCHED_BATCH"):
            os.sched_setscheduler(thread, os.SCHED_BATCH, os.sched_param(0))
    except OSError as error:
        log.warning("videos run at full priority: %s", error)
