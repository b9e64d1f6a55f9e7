import os
from pathlib import Path

import pytest

from service.backends.busy import CpuTimes, cpu_times, load_per_core

SECOND = os.sysconf("SC_CLK_TCK")


def test_the_others_share_is_what_was_used_without_our_part() -> None:
    before = CpuTimes(total=100, used=40, own=3)
    assert CpuTimes(total=120, used=50, own=7).others_share(before) == pytest.approx(6 / 20)


@pytest.mark.parametrize("after", [CpuTimes(100, 40, 5), CpuTimes(120, 41, 9)])
def test_no_time_and_no_others_make_no_share(after: CpuTimes) -> None:
    assert after.others_share(CpuTimes(100, 40, 3)) == 0.0


def test_idle_and_disk_wait_are_not_used_and_guests_are_not_counted_twice(tmp_path: Path) -> None:
    fields = [seconds * SECOND for seconds in (10, 1, 2, 60, 20, 3, 2, 2, 9, 9)]
    (tmp_path / "stat").write_text(f"cpu  {' '.join(map(str, fields))}\ncpu0 1 2 3\n")
    now = cpu_times(tmp_path / "stat")
    assert (now.total, now.used) == (100, 20)


@pytest.mark.parametrize("content", [None, "", "cpu what"])
def test_a_system_that_does_not_tell_has_no_others(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "stat").write_text(content)
    assert cpu_times(tmp_path / "stat").others_share(CpuTimes(0, 0, 0)) == 0.0


def test_the_load_is_given_for_one_core() -> None:
    assert load_per_core() == pytest.approx(os.getloadavg()[0] / (os.cpu_count() or 1), abs=0.5)
