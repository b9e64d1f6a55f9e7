"""What gets installed: pinned, from no named index, and no torch for the service."""

import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
PIN = re.compile(r"(?P<name>[A-Za-z0-9._-]+)==(?P<version>[A-Za-z0-9.]+)")
HEAVY = {"torch", "torchvision", "lightning", "pytorch-lightning", "timm", "segmentation-models-pytorch", "triton"}


def pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text().split()
    matches = [PIN.fullmatch(line) for line in lines]
    assert all(matches), "constraints.txt holds something other than name==version"
    return {canonicalize_name(match["name"]): match["version"] for match in matches if match}


def printed_requirements(*options: str) -> list[Requirement]:
    """The lines as `./run` and the Dockerfile get them."""
    command = [sys.executable, str(ROOT / "deploy/requirements.py"), *options]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [Requirement(line) for line in done.stdout.splitlines()]


def closure(wanted: list[Requirement]) -> set[str]:
    """Names of everything that the requirements pull in on this machine, by the installed packages' own metadata."""
    found: set[str] = set()
    waiting = [(requirement, {""}) for requirement in wanted]
    while waiting:
        requirement, extras = waiting.pop()
        if requirement.marker and not any(requirement.marker.evaluate({"extra": extra}) for extra in extras):
            continue
        name = canonicalize_name(requirement.name)
        known = name in found
        found.add(name)
        if not known or requirement.extras:
            children = [Requirement(line) for line in metadata.requires(name) or []]
            waiting += [(child, {"", *requirement.extras}) for child in children]
    return found


def test_constraints_name_versions_only_and_no_index() -> None:
    assert len(pins()) > 100
    assert not re.search(r"https?:|^-|@|\+", (ROOT / "constraints.txt").read_text(), re.MULTILINE)


def test_everything_that_gets_installed_is_pinned() -> None:
    unpinned = sorted(closure(printed_requirements("--all")) - pins().keys())
    assert unpinned == []


def test_the_service_needs_no_torch() -> None:
    names = closure(printed_requirements())
    assert {"fastapi", "onnxruntime-gpu", "dbos", "uvloop"} <= names
    assert not names & HEAVY
    assert closure(printed_requirements("--all")) >= HEAVY


def test_the_cpu_image_takes_onnx_runtime_without_cuda() -> None:
    plain = {line.name for line in printed_requirements()}
    cpu = {line.name for line in printed_requirements("--cpu")}
    assert plain - cpu == {"onnxruntime-gpu"}
    assert next(line for line in printed_requirements("--cpu") if line.name.startswith("onnxruntime")).marker is None


def test_the_image_can_use_an_object_store() -> None:
    plain = {line.name for line in printed_requirements()}
    assert {line.name for line in printed_requirements("--s3")} - plain == {"s3fs"}
    assert "requirements.py --s3 " in (ROOT / "deploy/image_packages.sh").read_text()


def test_importing_the_service_imports_no_torch_and_no_training() -> None:
    code = "import sys, service.app; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not set(done.stdout.split()) & {"torch", "torchvision", "lightning", "timm", "training"}
