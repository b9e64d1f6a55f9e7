"""Print the dependencies that pyproject.toml names, one a line, for `pip install -r`; versions are in constraints.txt.

Plain: what the service needs. `--all`: with every extra. `--s3`: with that one. `--cpu`: ONNX Runtime without CUDA, a
quarter of the size.
Runs before anything is installed: standard library only.
"""

import sys
import tomllib
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent / "pyproject.toml"


def requirements(*, extras: bool = False, s3: bool = False, cpu: bool = False) -> list[str]:
    """Requirement lines of PEP 508."""
    project = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]
    wanted: list[str] = list(project["dependencies"])
    if cpu:
        wanted = ["onnxruntime", *(line for line in wanted if not line.startswith("onnxruntime"))]
    if s3:
        wanted += project["optional-dependencies"]["s3"]
    if extras:
        wanted += [line for lines in project["optional-dependencies"].values() for line in lines]
    return wanted


if __name__ == "__main__":
    chosen = requirements(extras="--all" in sys.argv, s3="--s3" in sys.argv, cpu="--cpu" in sys.argv)
    sys.stdout.write("\n".join(chosen) + "\n")
