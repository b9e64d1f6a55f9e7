"""A virtual environment for each peer, made once from its pinned requirements."""

import hashlib
import subprocess
from pathlib import Path

VENVS = Path(__file__).resolve().parents[1] / ".venvs"
_STAMP = "requirements.sha256"
_INSTALL_SECONDS = 1800.0


class InstallFailed(Exception):
    """A peer's environment could not be made; the message holds the end of what pip or venv said."""


def install(name: str, requirements: Path, python: str, venvs: Path) -> Path:
    """The environment's folder under `venvs`; nothing is done when it was made from these requirements before.

    `python` is the interpreter to make it with. Raises InstallFailed.
    """
    venv, wanted = venvs / name, hashlib.sha256(requirements.read_bytes()).hexdigest()
    stamp = venv / _STAMP
    if stamp.exists() and stamp.read_text() == wanted:
        return venv
    _run(name, [python, "-m", "venv", "--clear", str(venv)])
    pip = [str(venv / "bin/python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    _run(name, [*pip, "--requirement", str(requirements)])
    stamp.write_text(wanted)
    return venv


def _run(name: str, command: list[str]) -> None:
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=_INSTALL_SECONDS)
    except FileNotFoundError as error:
        raise InstallFailed(f"{name} needs {command[0]}, which is not on this machine") from error
    except subprocess.TimeoutExpired as error:
        raise InstallFailed(f"{name}: {command[2]} took more than {_INSTALL_SECONDS:g} s") from error
    except subprocess.CalledProcessError as error:
        lines = [line for line in error.stderr.splitlines() if line.strip() and not line.startswith("WARNING")]
        raise InstallFailed(f"{name}: {command[2]} ended with {error.returncode}: {' | '.join(lines[-4:])}") from error
