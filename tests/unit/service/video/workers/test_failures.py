"""Which failures of a step are worth another try, how often, and what the uploader is told."""

import errno

import pytest

from service.errors import (
    DecoderCrashed,
    DecoderKilled,
    DecoderUnavailable,
    EndomaskError,
    InferenceFailed,
    NoSpace,
    PackageError,
    UndecodableVideo,
    WorkerDied,
)
from service.video.workers.failures import MOST_TRIES, describe, is_transient, persevere
from service.video.workers.patience import Stopping
from tests.support.failing_steps import Impatient, Step

PASSING = [
    OSError(errno.EIO, "hiccup"),
    DecoderKilled("killed"),
    InferenceFailed("refused"),
    DecoderUnavailable("full"),
    MemoryError(),
]


@pytest.mark.parametrize("error", PASSING, ids=lambda error: type(error).__name__)
def test_a_step_that_fails_for_a_passing_reason_is_tried_again(error: Exception) -> None:
    stopped, step = Impatient(), Step(error, error)
    assert persevere(stopped, step) == 7
    assert step.calls == 3
    assert stopped.waits == [1.0, 3.0]


@pytest.mark.parametrize("error", PASSING, ids=lambda error: type(error).__name__)
def test_a_step_that_goes_on_failing_is_given_up_after_a_bounded_number_of_tries(error: Exception) -> None:
    step = Step(*[error] * 100)
    with pytest.raises(type(error)):
        persevere(Impatient(), step)
    assert step.calls == MOST_TRIES


@pytest.mark.parametrize(
    "error", [UndecodableVideo("broken"), DecoderCrashed("it crashes"), PackageError("gone"), ValueError("our fault")]
)
def test_a_step_that_fails_by_its_input_or_by_our_fault_is_not_tried_again(error: Exception) -> None:
    step = Step(error)
    with pytest.raises(type(error)):
        persevere(Impatient(), step)
    assert step.calls == 1


def test_a_worker_that_ends_does_not_wait_for_the_next_try() -> None:
    stopped = Impatient()
    stopped.set()
    step = Step(OSError("hiccup"))
    with pytest.raises(Stopping):
        persevere(stopped, step)
    assert step.calls == 1


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (UndecodableVideo("not one frame can be decoded"), "undecodable_video", "not one frame can be decoded"),
        (DecoderKilled("the decoder was killed"), "decoder_killed", "the decoder was killed; 4 tries gave the same"),
        (InferenceFailed("red/1 failed"), "inference_failed", "need not be the video's fault: send it again"),
        (WorkerDied("4 workers died there"), "worker_died", "4 workers died there"),
        (NoSpace("0.1 GB are free"), "no_space", "4 tries"),
        (OSError(errno.ENOSPC, "full", "/secret/place"), "no_space", "the disk is full; free some space"),
        (OSError(errno.EIO, "broken", "/secret/place"), "internal", "4 tries gave the same"),
        (PackageError("/secret/place is gone"), "internal", "the model that the job was queued with can't be loaded"),
        (ValueError("secret"), "internal", "the service failed on this video; its log says why"),
    ],
)
def test_the_uploader_reads_what_happened_and_no_internals(error: Exception, code: str, said: str) -> None:
    told = describe(error)
    assert isinstance(told, EndomaskError)
    assert told.code == code
    assert said in str(told)
    assert "secret" not in str(told)


def test_what_is_the_videos_fault_is_not_transient_though_it_has_to_do_with_the_decoder() -> None:
    assert is_transient(DecoderKilled(""))
    assert not is_transient(DecoderCrashed(""))
