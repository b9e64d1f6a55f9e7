"""The whole application in this process, on red packages and a fake backend."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
from starlette.testclient import TestClient

from service.app import create_app
from service.backends.choice import Choice
from service.imaging.geometry import U8
from service.manifest.package import Package
from service.schemas import Problem
from service.settings import Settings
from tests.support.red import FakeBackend, red_frame, write_red_package


def red_settings(folder: Path, **changes: Any) -> Settings:
    """Settings of a server on `folder`, which gets a red model unless it has one; no video workers."""
    models_dir = folder / "models"
    if not (models_dir / "red").exists():
        write_red_package(models_dir)
    given = {"models_dir": models_dir, "data_dir": folder / "data", "default_model": "red", "workers": 0, **changes}
    return Settings(**given)


def fake_backend(package: Package, _settings: Settings) -> Choice:
    return Choice(FakeBackend(channels=package.manifest.channels))


@contextmanager
def running(
    settings: Settings, open_backend: Callable[[Package, Settings], Choice] = fake_backend
) -> Iterator[TestClient]:
    """A client of a started app; server faults come back as answers."""
    with TestClient(create_app(settings, open_backend=open_backend), raise_server_exceptions=False) as client:
        yield client


def refused(answer: Any, status: int, code: str) -> str:
    """The sentence of a refusal in our shape."""
    assert answer.headers["content-type"] == "application/problem+json"
    problem = Problem.model_validate_json(answer.content)
    assert (answer.status_code, problem.code) == (status, code), problem.detail
    assert "/tmp" not in problem.detail
    return problem.detail


def encode(rgb: U8, extension: str = ".png") -> bytes:
    """RGB uint8 [H, W, 3] -> encoded image."""
    return bytes(cv2.imencode(extension, cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))[1])


RED_PNG = encode(red_frame())
"""160x120, a red box of 50x40 at 40, 30."""
PNG = {"Content-Type": "image/png"}
MP4 = {"Content-Type": "video/mp4"}
