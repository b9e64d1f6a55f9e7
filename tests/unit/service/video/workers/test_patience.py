"""A job database that is away for a while."""

from threading import Event

import pytest
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnectionLeft

from service.video.workers.patience import Patience, Stopping
from tests.support.failing_steps import Impatient, Step

AWAY = OperationalError("SELECT 1", {}, ConnectionRefusedError("nobody there"))


@pytest.mark.parametrize("error", [AWAY, NoConnectionLeft("all are in use")])
def test_a_question_is_asked_until_the_database_is_back(error: Exception) -> None:
    stopped, step = Impatient(), Step(*[error] * 20)
    assert Patience(stopped)(step) == 7
    assert step.calls == 21
    assert stopped.waits[:4] == [0.2, 0.4, 0.8, 1.6]
    assert max(stopped.waits) == 5.0


def test_a_worker_that_ends_does_not_wait_for_the_database() -> None:
    stopped = Event()
    stopped.set()
    with pytest.raises(Stopping):
        Patience(stopped)(Step(*[AWAY] * 20))


def test_an_answer_that_is_an_error_is_raised_at_once() -> None:
    step = Step(IntegrityError("INSERT", {}, ValueError("taken")))
    with pytest.raises(IntegrityError):
        Patience(Impatient())(step)
    assert step.calls == 1
