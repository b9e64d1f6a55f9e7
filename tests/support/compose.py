"""Docker Compose as the judge of a compose file."""

import shutil
import subprocess
from pathlib import Path

import pytest


def complaint(file: Path, *arguments: str) -> str:
    """What it says against a file, empty when it takes it; skips the test where there is no Compose."""
    for command in (["docker", "compose"], ["docker-compose"]):
        if shutil.which(command[0]) and _runs([*command, "version"]).returncode == 0:
            checked = _runs([*command, "-f", str(file), *arguments, "config", "-q"])
            return "" if checked.returncode == 0 else checked.stderr
    pytest.skip("no docker compose here")


def _runs(command: list[str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(command, capture_output=True, text=True, check=False)
