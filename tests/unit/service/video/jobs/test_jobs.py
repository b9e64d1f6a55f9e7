"""The server's side of a job where something fails in between."""

import pytest

from service.errors import NotReady, UnknownVideo
from service.video.jobs.database import open_database
from service.video.jobs.jobs import VideoJobs
from service.video.jobs.records import JobTable
from tests.support.new_jobs import new_job


def kept(jobs: VideoJobs) -> list[str]:
    return [path.name for path in (jobs.store.data.path / "videos").iterdir()]


def test_an_answer_of_the_database_that_is_lost_costs_no_file(jobs: VideoJobs, monkeypatch: pytest.MonkeyPatch) -> None:
    """The job may be on record by then."""

    def answer_is_lost(*_: object) -> None:
        raise NotReady("away")

    monkeypatch.setattr(jobs, "_judge", answer_is_lost)
    with pytest.raises(NotReady):
        jobs.create(new_job(jobs))
    assert len(kept(jobs)) == 1


def test_a_deletion_that_the_store_refuses_can_be_repeated(jobs: VideoJobs, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(_job_id: str) -> None:
        raise NotReady("away")

    job = jobs.create(new_job(jobs))
    with monkeypatch.context() as patch:
        patch.setattr(jobs.store, "delete", refuses)
        with pytest.raises(NotReady):
            jobs.delete(job.id)
    assert jobs.get(job.id).status == "cancelled"
    jobs.delete(job.id)
    assert not kept(jobs)


@pytest.mark.parametrize(("said", "asked", "told"), [(10, None, 10), (10, 4, 4), (2**40, None, 2**31 - 1)])
def test_a_header_that_lies_tells_no_more_frames_than_can_be(
    jobs: VideoJobs, said: int, asked: int | None, told: int
) -> None:
    assert jobs.create(new_job(jobs, frames=said, max_frames=asked)).frames_total == told


def test_a_result_that_goes_while_it_is_asked_for_is_unknown(jobs: VideoJobs) -> None:
    job = jobs.create(new_job(jobs))
    engine = open_database(jobs._settings)
    assert JobTable(engine).end(job.id, "succeeded")
    engine.dispose()
    jobs.store.delete(job.id)
    with pytest.raises(UnknownVideo):
        jobs.result(job.id, "summary.json")
