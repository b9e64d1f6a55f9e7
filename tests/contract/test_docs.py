"""The documentation says what the code does: every setting, metric and route stands there, and nothing else does."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from service.errors import CallerError, EndomaskError, StartError
from service.manifest.schema import Manifest
from service.settings import Settings
from tests.support.running import PNG, RED_PNG, red_settings, running

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    with running(red_settings(tmp_path_factory.mktemp("docs"))) as started:
        yield started


def table_names(page: str, pattern: str) -> set[str]:
    """What stands in code marks at the start of a table's row and matches the pattern."""
    rows = (ROOT / "docs" / page).read_text().splitlines()
    cells = [row.split("|")[1] for row in rows if row.startswith("| `")]
    return {name for cell in cells for name in re.findall(r"`([^`]+)`", cell) if re.fullmatch(pattern, name)}


def test_every_setting_is_documented_with_its_default_and_meaning() -> None:
    page = (ROOT / "docs/settings.md").read_text()
    for name, field in Settings.model_fields.items():
        variable = f"ENDOMASK_{name.upper()}"
        row = next((line for line in page.splitlines() if line.startswith(f"| `{variable}` |")), None)
        assert row is not None, f"{variable} is not in docs/settings.md"
        shown = "" if field.default is None else str(field.default)
        assert row.split("|")[2].strip() == (f"`{shown}`" if shown else "unset"), row
        assert field.description, f"{name} has no docstring"
        assert " ".join(field.description.split()) in row.replace("\\|", "|"), row


def test_no_setting_is_documented_that_does_not_exist() -> None:
    documented = table_names("settings.md", r"ENDOMASK_\w+")
    assert documented == {f"ENDOMASK_{name.upper()}" for name in Settings.model_fields}


def test_every_manifest_field_is_documented() -> None:
    assert table_names("models.md", r"[a-z_]+") >= set(Manifest.model_fields)


def test_every_metric_is_documented_with_its_type_and_labels(client: TestClient) -> None:
    client.post("/v1/segment", content=RED_PNG, headers=PNG)
    client.post("/v1/segment", content=b"", headers=PNG)
    page = (ROOT / "docs/metrics.md").read_text()
    for family in text_string_to_metric_families(client.get("/metrics").text):
        name = f"{family.name}_total" if family.type == "counter" else family.name
        labels = {label for sample in family.samples for label in sample.labels} - {"le"}
        row = next((line for line in page.splitlines() if line.startswith(f"| `{name}` | {family.type} |")), None)
        assert row is not None, f"{name} ({family.type}) is not in docs/metrics.md"
        documented = {label.strip() for label in row.split("|")[3].split(",")} - {""}
        assert labels in (documented, set()), f"{name}: {labels}"


def test_no_metric_is_documented_that_does_not_exist(client: TestClient) -> None:
    families = list(text_string_to_metric_families(client.get("/metrics").text))
    exposed = {f"{family.name}_total" if family.type == "counter" else family.name for family in families}
    assert table_names("metrics.md", r"endomask_\w+") == exposed


def test_every_route_is_documented(client: TestClient) -> None:
    page = (ROOT / "docs/api.md").read_text()
    for path, methods in client.get("/openapi.json").json()["paths"].items():
        for method in methods:
            assert f"`{method.upper()} {path}`" in page, f"{method.upper()} {path} is not in docs/api.md"


def test_every_query_parameter_is_documented(client: TestClient) -> None:
    page = (ROOT / "docs/api.md").read_text()
    for path, methods in client.get("/openapi.json").json()["paths"].items():
        for operation in methods.values():
            for parameter in operation.get("parameters", []):
                if parameter["in"] == "query":
                    assert f"`{parameter['name']}`" in page, f"{parameter['name']} of {path} is not in docs/api.md"


def errors_below(error: type[EndomaskError]) -> list[type[EndomaskError]]:
    return [error, *(leaf for child in error.__subclasses__() for leaf in errors_below(child))]


def test_every_error_code_that_a_caller_can_meet_is_documented() -> None:
    page = (ROOT / "docs/api.md").read_text()
    for error in errors_below(EndomaskError):
        if issubclass(error, StartError) or error is CallerError or error.code == "unavailable":
            continue
        assert f"| `{error.code}` | {error.status} |" in page, f"{error.code} ({error.status}) is not in docs/api.md"
