"""What `sam build` made: for Lambda by its shape, and for this machine by running every function of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from samtranslator.yaml_helper import yaml_parse

from tests.built.runtime_api import sandbox

if TYPE_CHECKING:
    from tests.conftest import Stack

ROOT = Path(__file__).parents[2]
FOR_LAMBDA = ROOT / ".aws-sam" / "build"
FOR_HOST = ROOT / "build" / "host"
RUNTIME_CLIENT = ROOT / "build" / "runtime-client"
AARCH64 = (183).to_bytes(2, "little")
LAYERS = ("CoreLayer", "ValidationLayer", "ImagingLayer", "StabilityLayer", "SearchLayer", "AnalyticsLayer")


def resources(build: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml_parse((build / "template.yaml").read_text())["Resources"]
    return found


def functions(build: Path) -> dict[str, Any]:
    return {
        name: resource["Properties"]
        for name, resource in resources(build).items()
        if resource["Type"] == "AWS::Serverless::Function"
    }


def layers_of(function: dict[str, Any]) -> list[str]:
    return ["CoreLayer", *(layer["Ref"] for layer in function.get("Layers", ()))]


def code_of(build: Path, function: dict[str, Any]) -> Path:
    code: Path = build / function.get("CodeUri", "functions")
    return code.resolve()


def event_of(function: dict[str, Any]) -> dict[str, Any]:
    name = function["Handler"].removesuffix(".handler")
    event: dict[str, Any] = json.loads((ROOT / "tests" / "events" / f"{name}.json").read_text())
    return event


@pytest.mark.parametrize("layer", LAYERS)
def test_a_layer_holds_wheels_for_lambda(layer: str) -> None:
    libraries = list((FOR_LAMBDA / layer / "python").rglob("*.so"))
    assert libraries
    for library in libraries:
        with library.open("rb") as binary:
            header = binary.read(20)
        assert header[:4] == b"\x7fELF", library
        assert header[18:20] == AARCH64, library
        assert "cpython-3" not in library.name or "cpython-313" in library.name, library


def test_a_reader_is_small_and_no_function_is_too_large() -> None:
    sizes = {
        layer: sum(file.stat().st_size for file in (FOR_LAMBDA / layer).rglob("*") if file.is_file())
        for layer in LAYERS
    }
    for name, function in functions(FOR_LAMBDA).items():
        size = sum(sizes[layer] for layer in layers_of(function))
        assert size < 150 << 20, name
    assert sizes["CoreLayer"] < 40 << 20


def test_the_core_carries_the_package_and_its_openapi_document() -> None:
    package = FOR_LAMBDA / "CoreLayer" / "python" / "imagetrail"
    assert (package / "openapi.json").is_file()
    assert (package / "wiring.py").is_file()


UNSETTLING = ("poisoned", "failed", "batchItemFailures")
"""By these keys functions that answer no request tell what they could not do."""
STATUS = {
    "ChangeImages": 200,
    "EraseMe": 401,
    "EraseUser": 403,
    "EraseUserById": 401,
    "GetAnalytics": 200,
    "ReceiveUserDeleted": 404,
}
"""Where the answer is not what its method and path let expect."""


@pytest.mark.parametrize("name", sorted(functions(ROOT)))
def test_every_built_function_runs(name: str, stack: Stack) -> None:
    function = functions(FOR_HOST)[name]
    path = [
        RUNTIME_CLIENT,
        code_of(FOR_HOST, function),
        *(FOR_HOST / layer / "python" for layer in layers_of(function)),
    ]
    with sandbox(function["Handler"], path, stack.environment(name)) as running:
        event = event_of(function)
        for _ in range(2):
            answer = running.invoke(event)
    if "requestContext" not in event:
        assert answer is None or not {"errorType", *UNSETTLING} & {key for key, value in answer.items() if value}, (
            answer
        )
        return
    # The sample ids name nothing in a new deployment: a clean 404 is the right answer there.
    by_method = {"POST": 201, "GET": 200, "PATCH": 404, "DELETE": 404, "PUT": 405}
    expected = STATUS.get(name) or (
        404 if event.get("pathParameters") else by_method[event["requestContext"]["http"]["method"]]
    )
    assert answer["statusCode"] == expected, answer
    if not answer.get("isBase64Encoded"):
        json.loads(answer["body"])
