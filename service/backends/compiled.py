"""Where runtimes keep what they compiled. What they read back is judged by its masks like all else."""

from pathlib import Path


def compiled_folder(cache_dir: Path | None, name: str) -> Path | None:
    """A folder that can be used; None without a place to write, and the runtime then compiles each time."""
    if cache_dir is None:
        return None
    try:
        (cache_dir / name).mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    return cache_dir / name
