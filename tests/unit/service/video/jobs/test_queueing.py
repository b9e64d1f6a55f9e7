"""How a video's segments are cut into windows."""

from hypothesis import given
from hypothesis import strategies as st

from service.video.jobs.queueing import job_of, plan_windows, window_id


@given(st.integers(1, 5000))
def test_windows_hold_every_segment_once_and_in_order(segments: int) -> None:
    windows = plan_windows(segments)
    assert [number for first, after in windows for number in range(first, after)] == list(range(segments))
    assert all(1 <= after - first <= 6 for first, after in windows)


def test_a_video_of_two_minutes_already_makes_a_window_of_each_segment() -> None:
    assert plan_windows(12) == [(number, number + 1) for number in range(12)]
    assert plan_windows(1) == [(0, 1)]


def test_an_hour_is_cut_into_windows_of_a_minute() -> None:
    assert len(plan_windows(360)) == 60


def test_a_windows_id_names_its_job() -> None:
    assert job_of(window_id("1f0e-22", 12)) == "1f0e-22" == job_of("1f0e-22")
