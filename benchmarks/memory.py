"""Memory over a video and over one ten times as long."""

from typing import Any

from benchmarks.bench import Bench
from benchmarks.clips import CLIP_SIZES, clip
from benchmarks.contenders import endomask_environment
from benchmarks.processes import family, memory_watch, python, run

TIMES = 10
_SECONDS = 7200.0
"""How long one video may take: a busy machine is no reason to know nothing of memory."""


def measure(bench: Bench) -> dict[str, Any]:
    """Highest proportional set size of the process tree, in MB, and what the longer video adds to it."""
    short = bench.scale.clip_seconds
    peaks = {seconds: _peak(bench, seconds) for seconds in (short, TIMES * short)}
    return {
        "clip_seconds": short,
        "times": TIMES,
        "peak_mb": {str(seconds): round(peak, 1) for seconds, peak in peaks.items()},
        "growth_mb": round(peaks[TIMES * short] - peaks[short], 1),
    }


def _peak(bench: Bench, seconds: int) -> float:
    made = clip(bench, CLIP_SIZES[0], seconds)
    bench.say(f"memory over {seconds} s of {made.name}")
    out = bench.folder / "videos/memory"
    with family() as name, memory_watch(name) as samples:
        command = python("benchmarks.one_video", "endomask", str(made.path), str(out))
        run(command, endomask_environment(bench), timeout_seconds=_SECONDS)
    return max((megabytes for _, megabytes in samples), default=0.0)
