"""Waiting for a job database that is away: a worker goes on with what it has begun once the database is back."""

import logging
from collections.abc import Callable
from threading import Event
from typing import ParamSpec, TypeVar

from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnectionLeft

P = ParamSpec("P")
T = TypeVar("T")

log = logging.getLogger(__name__)

_FIRST_WAIT_SECONDS = 0.2
_LONGEST_WAIT_SECONDS = 5.0


class Stopping(BaseException):
    """The worker ends; the job stays as it is and goes on with another.

    Not an Exception, so that DBOS records nothing and the workflow stays pending.
    """


class Patience:
    """Calls what asks the database, again and again while there is none; raises Stopping once `stopped` is set."""

    def __init__(self, stopped: Event) -> None:
        self._stopped = stopped

    def __call__(self, ask: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        wait_seconds = _FIRST_WAIT_SECONDS
        while True:
            try:
                return ask(*args, **kwargs)
            except (OperationalError, InterfaceError) as error:
                log.warning("the job database is away (%s); next try in %g s", type(error.orig).__name__, wait_seconds)
            except NoConnectionLeft:
                log.warning("every connection to the job database is in use; next try in %g s", wait_seconds)
            if self._stopped.wait(wait_seconds):
                raise Stopping
            wait_seconds = min(2 * wait_seconds, _LONGEST_WAIT_SECONDS)
