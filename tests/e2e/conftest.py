"""The real server in a process of its own, as a user starts it: `python -m service serve`."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.server import RunningServer, served_models, start_server


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """Serves the shipped models with one video worker; must end with exit code 0 and leave no process behind."""
    folder = tmp_path_factory.mktemp("server")
    models_dir, default_model = served_models(folder)
    with start_server(
        folder, ENDOMASK_MODELS_DIR=str(models_dir), ENDOMASK_DEFAULT_MODEL=default_model, ENDOMASK_WORKERS="1"
    ) as running:
        yield running


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.e2e)
