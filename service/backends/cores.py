"""How many CPU cores this process may use: the affinity mask and the cgroup's quota, not the host's count."""

import math
import os
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")
MEMBERSHIP = Path("/proc/self/cgroup")


def available_cores(cgroup: Path = CGROUP, membership: Path = MEMBERSHIP) -> int:
    """At least 1; a quota of 1.5 cores counts as 2."""
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quotas = [quota for folder in _folders(cgroup, membership) if (quota := _quota(folder)) is not None]
    return max(1, min([affinity, *(math.ceil(quota) for quota in quotas)]))


def _folders(cgroup: Path, membership: Path) -> list[Path]:
    """This process's groups and all above them, of version 2 and of version 1's `cpu` controller.

    Each of them may hold a quota, and the smallest one counts. In a container its own group is the root.
    """
    found = [cgroup, cgroup / "cpu", cgroup / "cpu,cpuacct"]
    try:
        lines = membership.read_text().splitlines()
    except OSError:
        return found
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers not in {"", "cpu", "cpu,cpuacct"}:
            continue
        here = Path(path.lstrip("/"))
        found += [cgroup / controllers / folder for folder in (here, *here.parents)]
    return found


def _quota(folder: Path) -> float | None:
    """Cores that one group's quota grants; None without a quota."""
    try:
        if (folder / "cpu.max").is_file():
            quota, period = (folder / "cpu.max").read_text().split()
        else:
            quota = (folder / "cpu.cfs_quota_us").read_text().strip()
            period = (folder / "cpu.cfs_period_us").read_text().strip()
        return None if quota in {"max", "-1"} else int(quota) / int(period)
    except (OSError, ValueError):
        return None
