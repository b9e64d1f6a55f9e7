import os
from pathlib import Path

import pytest

from service.backends.cores import available_cores

AFFINITY = len(os.sched_getaffinity(0))
NOWHERE = Path("/proc/self/no-such-file")


def write_quota(folder: Path, quota: str, version: int = 2) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    if version == 2:
        (folder / "cpu.max").write_text(f"{quota} 100000\n")
    else:
        (folder / "cpu.cfs_quota_us").write_text(quota + "\n")
        (folder / "cpu.cfs_period_us").write_text("100000\n")


@pytest.fixture
def many(monkeypatch: pytest.MonkeyPatch) -> int:
    """A machine of 64 cores, all of them ours."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: set(range(64)))
    return 64


@pytest.mark.parametrize(("quota", "cores"), [("50000", 1), ("100000", 1), ("150000", 2), ("max", 64)])
def test_the_quota_of_a_version_2_cgroup_counts(tmp_path: Path, many: int, quota: str, cores: int) -> None:
    write_quota(tmp_path, quota)
    assert available_cores(tmp_path, NOWHERE) == cores


@pytest.mark.parametrize(("quota", "cores"), [("50000", 1), ("350000", 4), ("-1", 64)])
@pytest.mark.parametrize("controller", ["cpu", "cpu,cpuacct"])
def test_the_quota_of_a_version_1_cgroup_counts(
    tmp_path: Path, many: int, controller: str, quota: str, cores: int
) -> None:
    write_quota(tmp_path / controller, quota, version=1)
    assert available_cores(tmp_path, NOWHERE) == cores


def test_the_smallest_quota_on_the_way_from_the_root_to_our_group_counts(tmp_path: Path, many: int) -> None:
    membership = tmp_path / "membership"
    membership.write_text("0::/system.slice/endomask.service\n")
    write_quota(tmp_path, "max")
    write_quota(tmp_path / "system.slice", "300000")
    write_quota(tmp_path / "system.slice" / "endomask.service", "800000")
    write_quota(tmp_path / "system.slice" / "another.service", "100000")
    assert available_cores(tmp_path, membership) == 3


def test_our_group_of_version_1s_cpu_controller_counts_and_others_controllers_do_not(tmp_path: Path, many: int) -> None:
    membership = tmp_path / "membership"
    membership.write_text("5:memory:/tight\n4:cpu,cpuacct:/docker/0123\n1:name=systemd:/docker/0123\n")
    write_quota(tmp_path / "cpu,cpuacct" / "docker" / "0123", "250000", version=1)
    write_quota(tmp_path / "memory" / "tight", "100000", version=1)
    assert available_cores(tmp_path, membership) == 3


def test_a_quota_above_the_affinity_grants_no_more_than_that(tmp_path: Path) -> None:
    write_quota(tmp_path, "100000000")
    assert available_cores(tmp_path, NOWHERE) == AFFINITY


@pytest.mark.parametrize("content", [None, "", "what", "1 2 3", "100000 0x"])
def test_without_a_readable_quota_the_affinity_counts(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "cpu.max").write_text(content)
    assert available_cores(tmp_path, NOWHERE) == AFFINITY
