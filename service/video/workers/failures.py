"""Why a step of a job fails: whether another try may help, and what the uploader is told when none does."""

import errno
import logging
from collections.abc import Callable
from threading import Event
from typing import ParamSpec, TypeVar

from service.errors import (
    DecoderUnavailable,
    EndomaskError,
    InferenceFailed,
    NoSpace,
    NotReady,
    StartError,
    Unavailable,
)
from service.video.workers.patience import Stopping

P = ParamSpec("P")
T = TypeVar("T")

log = logging.getLogger(__name__)

MOST_TRIES = 4
FIRST_WAIT_SECONDS = 1.0
WAIT_GROWTH = 3.0
"""A step that fails for a passing reason is tried again after 1, 3 and 9 seconds."""
MOST_DEATHS = 4
"""A step that took its worker with it this often is not begun again."""

_FAULT = "the service failed on this video; its log says why"
_PASSING_FAULT = "the disk, the memory or another resource failed"


def is_transient(error: Exception) -> bool:
    """Whether the same step may succeed when tried again: a disk's hiccup, memory short for a moment, a device that
    refused a batch or a decoder, a decoder process that was killed. The video itself stays what it is, and so do faults
    of ours. A store that is away is waited for elsewhere (`Outage`)."""
    passing = InferenceFailed | DecoderUnavailable | Unavailable | OSError | MemoryError
    return isinstance(error, passing) and not isinstance(error, NotReady)


def persevere(stopped: Event, step: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Do a step, several times if it fails for a passing reason; raises its last error, or Stopping once `stopped`."""
    wait_seconds = FIRST_WAIT_SECONDS
    for tries_left in reversed(range(MOST_TRIES)):
        try:
            return step(*args, **kwargs)
        except Exception as error:
            if not tries_left or not is_transient(error):
                raise
            log.warning("a step failed, %d tries are left; next in %g s", tries_left, wait_seconds, exc_info=error)
        if stopped.wait(wait_seconds):
            break
        wait_seconds *= WAIT_GROWTH
    raise Stopping


def describe(error: Exception) -> EndomaskError:
    """What the uploader is told of an error. The code tells whether it was the video or the service."""
    if isinstance(error, StartError):
        return EndomaskError("the model that the job was queued with can't be loaded any more")
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return NoSpace("the disk is full; free some space and send the video again")
    if not is_transient(error):
        return error if isinstance(error, EndomaskError) else EndomaskError(_FAULT)
    kind, said = (type(error), str(error)) if isinstance(error, EndomaskError) else (EndomaskError, _PASSING_FAULT)
    return kind(f"{said}; {MOST_TRIES} tries gave the same, which need not be the video's fault: send it again later")
