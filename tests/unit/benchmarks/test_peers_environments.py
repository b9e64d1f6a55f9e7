"""Environments of the peers, made by a stand-in for Python that notes what it is asked."""

from pathlib import Path

import pytest

from benchmarks.peers.environments import InstallFailed, install

PYTHON = """#!/bin/sh
echo "$2 $3" >> {calls}
if [ "$2" = venv ]; then mkdir -p "$4/bin" && cp "$0" "$4/bin/python"; exit; fi
for last; do :; done
if grep -q broken "$last"; then
    printf 'WARNING: of no use\\nERROR: no such version\\n' >&2
    exit 3
fi
"""


@pytest.fixture
def python(tmp_path: Path) -> str:
    path = tmp_path / "python"
    path.write_text(PYTHON.format(calls=tmp_path / "calls"))
    path.chmod(0o755)
    return str(path)


def calls(folder: Path) -> list[str]:
    return (folder / "calls").read_text().splitlines()


def requirements(folder: Path, text: str) -> Path:
    path = folder / "requirements.txt"
    path.write_text(text)
    return path


def test_an_environment_is_made_once_for_the_same_requirements(tmp_path: Path, python: str) -> None:
    wanted = requirements(tmp_path, "one==1\n")
    assert install("peer", wanted, python, tmp_path / "venvs") == tmp_path / "venvs/peer"
    install("peer", wanted, python, tmp_path / "venvs")
    assert calls(tmp_path) == ["venv --clear", "pip install"]


def test_it_is_made_anew_when_the_requirements_change(tmp_path: Path, python: str) -> None:
    install("peer", requirements(tmp_path, "one==1\n"), python, tmp_path / "venvs")
    install("peer", requirements(tmp_path, "one==2\n"), python, tmp_path / "venvs")
    assert calls(tmp_path) == ["venv --clear", "pip install"] * 2


def test_a_failed_install_says_why_and_is_tried_again(tmp_path: Path, python: str) -> None:
    wanted = requirements(tmp_path, "broken==1\n")
    for _ in range(2):
        with pytest.raises(InstallFailed, match=r"^peer: pip ended with 3: ERROR: no such version$"):
            install("peer", wanted, python, tmp_path / "venvs")
    assert len(calls(tmp_path)) == 4


def test_a_missing_interpreter_is_named(tmp_path: Path) -> None:
    with pytest.raises(InstallFailed, match="peer needs /no/python, which is not on this machine"):
        install("peer", requirements(tmp_path, ""), "/no/python", tmp_path / "venvs")
