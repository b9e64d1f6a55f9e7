"""The OpenAPI document says what is true."""

from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.support.running import PNG, RED_PNG, red_settings, running


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    with running(red_settings(tmp_path_factory.mktemp("openapi"))) as started:
        yield started


@pytest.fixture(scope="module")
def document(client: TestClient) -> dict[str, Any]:
    found: dict[str, Any] = client.get("/openapi.json").json()
    return found


def operations(document: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [
        (f"{method.upper()} {path}", operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]


def test_every_operation_has_a_summary_an_id_of_its_own_and_documents_our_fault(document: dict[str, Any]) -> None:
    ids = [operation["operationId"] for _, operation in operations(document)]
    assert len(ids) == len(set(ids))
    for name, operation in operations(document):
        assert operation.get("summary"), name
        assert "500" in operation["responses"], name


def test_every_refusal_is_documented_as_a_problem(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        for status, response in operation["responses"].items():
            if int(status) >= 400:
                assert list(response["content"]) == ["application/problem+json"], f"{name} {status}"


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]

    def walk(node: Any) -> None:
        if isinstance(node, dict):
            if isinstance(reference := node.get("$ref"), str):
                assert reference.removeprefix("#/components/schemas/") in schemas, reference
            for value in node.values():
                walk(value)
        elif isinstance(node, list):
            for value in node:
                walk(value)

    walk(document)


def test_the_bodies_of_segment_are_described(document: dict[str, Any]) -> None:
    operation = document["paths"]["/v1/segment"]["post"]
    assert set(operation["requestBody"]["content"]) == {
        "image/jpeg",
        "image/png",
        "image/webp",
        "image/bmp",
        "image/tiff",
        "multipart/form-data",
    }
    assert set(operation["responses"]["200"]["content"]) == {"application/json", "image/png", "image/jpeg"}
    parameters = {entry["name"]: entry for entry in operation["parameters"]}
    assert set(parameters) == {"model", "version", "threshold", "output", "mask", "size"}
    assert all(entry.get("description") for entry in parameters.values())
    assert document["components"]["schemas"]["FrameAnswer"]["examples"]


def test_a_real_answer_has_exactly_the_documented_fields(client: TestClient, document: dict[str, Any]) -> None:
    schema = document["components"]["schemas"]["FrameAnswer"]
    answer = client.post("/v1/segment", content=RED_PNG, headers=PNG).json()
    assert set(answer) == set(schema["properties"])
    assert set(schema["required"]) <= set(answer)
    assert set(schema["examples"][0]) == set(answer)


def test_the_docs_page_needs_no_internet(client: TestClient) -> None:
    page = client.get("/docs").text
    assert "http://" not in page
    assert "https://" not in page
    for path in ("/docs-static/swagger-ui-bundle.js", "/docs-static/swagger-ui.css", "/docs-static/favicon.png"):
        assert path in page
        assert client.get(path).status_code == 200


def test_the_root_leads_to_the_docs(client: TestClient) -> None:
    answer = client.get("/", follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (307, "/docs")
