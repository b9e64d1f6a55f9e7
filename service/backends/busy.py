"""How much of the processor others use meanwhile: what was measured beside them says less."""

import os
import time
from dataclasses import dataclass
from pathlib import Path

STAT = Path("/proc/stat")
_IDLE = (3, 4)
"""Fields of idle and of waiting for the disk (man proc_stat)."""
_GUEST = 8
"""From here on time is counted that the fields before hold already."""


@dataclass(frozen=True, slots=True)
class CpuTimes:
    """Seconds since some start: all cores together, what of them was used, and this process's part."""

    total: float
    used: float
    own: float

    def others_share(self, before: "CpuTimes") -> float:
        """Part of all cores' time that others used since then, 0 to 1."""
        total = self.total - before.total
        others = (self.used - before.used) - (self.own - before.own)
        return min(1.0, max(0.0, others / total)) if total > 0 else 0.0


def cpu_times(stat: Path = STAT) -> CpuTimes:
    """Now; zeros where the system does not tell."""
    own = time.process_time()
    try:
        ticks = [int(field) for field in stat.read_text().splitlines()[0].split()[1:]][:_GUEST]
    except (OSError, ValueError, IndexError):
        return CpuTimes(0.0, 0.0, own)
    per_second = os.sysconf("SC_CLK_TCK")
    idle = sum(ticks[field] for field in _IDLE)
    return CpuTimes(sum(ticks) / per_second, (sum(ticks) - idle) / per_second, own)


def load_per_core() -> float:
    """Processes that wanted a core in the last minute, over the cores; this one's start counts little."""
    return os.getloadavg()[0] / (os.cpu_count() or 1)
