"""The OpenAPI document: up to date, valid, and true to routes and models."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from schemathesis.specs.openapi.definitions import OPENAPI_31

from imagetrail import openapi_document, records, schemas
from imagetrail.errors import MethodNotAllowed, NotFound
from imagetrail.queries import LIST_IMAGES
from local import openapi

ID = "019b2f6e-7c1a-7d32-9a55-3f1b6f0a2c11"


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return dict(json.loads(openapi_document.text()))


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def nodes(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        yield node
        node = list(node.values())
    if isinstance(node, list):
        for member in node:
            yield from nodes(member)


def test_the_committed_document_is_up_to_date() -> None:
    """If this fails: `make openapi`."""
    assert openapi_document.PATH.read_text() == openapi.text()


def test_the_document_is_valid_openapi_3_1(document: dict[str, Any]) -> None:
    Draft202012Validator(OPENAPI_31).validate(document)
    for schema in document["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


def test_every_reference_leads_somewhere_and_nothing_is_left_over(document: dict[str, Any]) -> None:
    references = {node["$ref"] for node in nodes(document) if "$ref" in node}
    assert references == {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}


def test_every_operation_says_what_it_takes_and_gives(document: dict[str, Any]) -> None:
    names = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(set(names)) == len(names)
    for path, method, operation in operations(document):
        assert operation["summary"]
        assert {p["name"] for p in operation.get("parameters", ()) if p["in"] == "path"} == {
            part.strip("{}") for part in path.split("/") if part.startswith("{")
        }
        answers = operation["responses"]
        assert [status for status in answers if status.startswith("2")]
        assert {"422", "500", "503"} <= set(answers)
        assert ("401" in answers) is (path != "/ai/openapi.json")
        assert "requestBody" not in operation or method in ("post", "put", "patch")
        assert ("413" in answers) is ("requestBody" in operation)
        assert all(answer["description"] for answer in answers.values())
        assert all("application/problem+json" in answers[status]["content"] for status in answers if status >= "400")


def test_the_history_is_described_as_it_is_read(document: dict[str, Any]) -> None:
    listed = document["paths"]["/ai/generated-images"]["get"]
    assert [p["name"] for p in listed["parameters"]] == [p.name for p in LIST_IMAGES]
    assert "400" in listed["responses"]
    assert set(document["components"]["schemas"]["Image"]["required"]) == set(records.COLUMNS)


def test_a_request_body_refuses_what_it_does_not_describe(document: dict[str, Any]) -> None:
    body = document["components"]["schemas"]["GenerateRequest"]
    assert body["additionalProperties"] is False
    assert body["required"] == ["prompt"]
    assert set(body["properties"]) == set(schemas.GenerateRequest.model_fields)
    validator = Draft202012Validator(body)
    assert validator.is_valid({"prompt": "a fox", "resolution": "2K", "seed": 0})
    assert not validator.is_valid({"prompt": "a fox", "resolution": "8K"})
    assert not validator.is_valid({"prompt": "a fox", "n": 4})
    assert not validator.is_valid({"prompt": "x" * 10_001})


def test_security_is_optional(document: dict[str, Any]) -> None:
    assert {} in document["security"]
    assert document["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("PUT", "/ai/generate", {"POST"}),
        ("PUT", "/ai/datasets", {"GET", "HEAD", "POST"}),
        ("POST", f"/ai/datasets/{ID}", {"GET", "HEAD", "PATCH"}),
        ("OPTIONS", "/ai/generated-images/batch", {"POST"}),
        ("POST", "/ai/openapi.json", {"GET", "HEAD"}),
    ],
)
def test_a_path_with_other_methods_tells_them(method: str, path: str, allow: set[str]) -> None:
    error = openapi_document.rejection(method, path)
    assert isinstance(error, MethodNotAllowed)
    assert set((error.headers["allow"]).split(", ")) >= allow
    assert method not in (error.headers["allow"]).split(", ")


@pytest.mark.parametrize(
    "path", ["", "/", "/ai", "/ai/generate/", "//ai/generate", "/ai/openapixjson", "/ai/datasets/a/b/c"]
)
def test_another_path_is_not_found(path: str) -> None:
    assert isinstance(openapi_document.rejection("GET", path), NotFound)
