"""The README's commands run as they stand there, against a running server, and give what it shows."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support.server import ROOT, RunningServer

BLOCK = re.compile(r"```(\w+)\n(.*?)```", re.DOTALL)
README = (ROOT / "README.md").read_text()
COMMANDS = [body.strip() for language, body in BLOCK.findall(README) if language == "sh"]
CURLS = [line for block in COMMANDS for line in block.splitlines() if line.startswith("curl ")]

MACHINE_DEPENDENT = {"timing_ms", "pixels", "centroid", "bbox"}


def run(line: str, folder: Path, server: RunningServer) -> str:
    shutil.copytree(ROOT / "examples", folder / "examples", dirs_exist_ok=True)
    command = line.replace("http://127.0.0.1:8000", server.url).replace("curl -s ", "curl -sS --fail-with-body ", 1)
    done = subprocess.run(["sh", "-c", command], cwd=folder, capture_output=True, text=True, timeout=250, check=False)
    assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def near(shown: Any) -> Any:
    """Equal to what is within 0.01 of `shown`, since another precision gives other last digits."""
    if isinstance(shown, dict):
        return {key: near(entry) for key, entry in counted(shown).items()}
    if isinstance(shown, list):
        return [near(entry) for entry in shown]
    return pytest.approx(shown, abs=0.01) if isinstance(shown, float) else shown


def counted(value: Any) -> Any:
    """Without what differs by machine and backend: pixels, places and times."""
    if isinstance(value, dict):
        return {key: counted(entry) for key, entry in value.items() if key not in MACHINE_DEPENDENT}
    return [counted(entry) for entry in value] if isinstance(value, list) else value


def test_the_readme_starts_the_server_and_the_tests_by_one_command_each() -> None:
    assert "./run serve" in COMMANDS
    assert any(block.startswith("./run test") for block in COMMANDS)


@pytest.mark.parametrize("line", CURLS)
def test_every_curl_command_of_the_readme_works(line: str, server: RunningServer, tmp_path: Path) -> None:
    run(line, tmp_path, server)
    for name in re.findall(r" -o (\S+)", line):
        assert (tmp_path / name).stat().st_size > 1000


def test_the_first_command_gives_the_answer_that_the_readme_shows(server: RunningServer, tmp_path: Path) -> None:
    shown = json.loads(next(body for language, body in BLOCK.findall(README) if language == "json"))
    given = json.loads(run(CURLS[0], tmp_path, server))
    assert counted(given) == near(shown)


def test_every_page_and_picture_that_the_readme_names_is_there() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / target).exists(), target
