"""Print the dependencies that pyproject.toml names, one a line, for `pip install -r`; versions are in constraints.txt.

Plain: what the service needs. `--all`: with every extra. `--cpu`: ONNX Runtime without CUDA, a quarter of the size.
Runs before anything is installed: standard library only.
"""

import sys
import tomllib
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent / "pyproject.toml"


def requirements(*, extras: bool = False, cpu: bool = False) -> list[str]:
    """Requirement lines of PEP 508."""
    project = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]
    wanted: list[str] = list(project["dependencies"])
    if cpu:
        wanted = ["onnxruntime", *(line for line in wanted if not line.startswith("onnxruntime"))]
    if extras:
        wanted += [line for lines in project["optional-dependencies"].values() for line in lines]
    return wanted


if __name__ == "__main__":
    sys.stdout.write("\n".join(requirements(extras="--all" in sys.argv, cpu="--cpu" in sys.argv)) + "\n")
