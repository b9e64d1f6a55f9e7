import os
from pathlib import Path

import pytest

from service.backends.cores import available_cores

AFFINITY = len(os.sched_getaffinity(0))


@pytest.mark.parametrize(
    ("quota", "cores"),
    [("50000 100000", 1), ("100000 100000", 1), ("150000 100000", min(2, AFFINITY)), ("max 100000", AFFINITY)],
)
def test_the_quota_of_a_version_2_cgroup_counts(tmp_path: Path, quota: str, cores: int) -> None:
    (tmp_path / "cpu.max").write_text(quota + "\n")
    assert available_cores(tmp_path) == cores


@pytest.mark.parametrize(("quota", "cores"), [("50000", 1), ("-1", AFFINITY)])
def test_the_quota_of_a_version_1_cgroup_counts(tmp_path: Path, quota: str, cores: int) -> None:
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text(quota + "\n")
    (tmp_path / "cpu" / "cpu.cfs_period_us").write_text("100000\n")
    assert available_cores(tmp_path) == cores


def test_a_quota_above_the_affinity_grants_no_more_than_that(tmp_path: Path) -> None:
    (tmp_path / "cpu.max").write_text("100000000 100000\n")
    assert available_cores(tmp_path) == AFFINITY


@pytest.mark.parametrize("content", [None, "", "what"])
def test_without_a_readable_quota_the_affinity_counts(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "cpu.max").write_text(content)
    assert available_cores(tmp_path) == AFFINITY
