"""What lies in a folder that a running service changes meanwhile."""

import os
from pathlib import Path


def paths_in(folder: Path) -> list[Path]:
    """All files and folders below one. `Path.rglob` fails on a folder that goes while it looks."""
    return [Path(place, name) for place, folders, files in os.walk(folder) for name in (*folders, *files)]
