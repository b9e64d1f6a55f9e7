"""Names that the server and the workers agree on in DBOS, and how a video is cut into tasks.

A job is a workflow of its own on `JOBS_QUEUE`. It puts windows, each some neighbouring segments, on `WINDOWS_QUEUE`,
from where any worker takes them.
"""

from itertools import pairwise

APPLICATION = "endomask"
APPLICATION_VERSION = "2"
"""Version of the workflows' steps, not of the program: jobs go on across upgrades until the steps change."""
JOBS_QUEUE = "videos"
WINDOWS_QUEUE = "video_windows"
JOB_WORKFLOW = "process_video"
WINDOW_WORKFLOW = "process_window"
QUEUE_OF = {JOB_WORKFLOW: JOBS_QUEUE, WINDOW_WORKFLOW: WINDOWS_QUEUE}

_MOST_SEGMENTS = 6
_WINDOWS_WANTED = 12
"""So that a few workers end at about the same time."""


def plan_windows(segments: int) -> list[tuple[int, int]]:
    """Cut segments 0 to n - 1 into windows of neighbours, each as its first and the one after its last.

    Many small windows spread better and take turns with other jobs sooner; each costs a poll of the queue.
    """
    size = min(_MOST_SEGMENTS, max(1, segments // _WINDOWS_WANTED))
    return list(pairwise([*range(0, segments, size), segments]))


def window_id(job_id: str, first: int) -> str:
    """Workflow id of the window that begins with a segment."""
    return f"{job_id}/{first}"


def job_of(workflow_id: str) -> str:
    """The job that a workflow belongs to."""
    return workflow_id.partition("/")[0]
