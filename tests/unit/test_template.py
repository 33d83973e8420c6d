"""What CloudFormation would refuse and no emulator does."""

import re
from collections.abc import Iterator
from graphlib import TopologicalSorter
from typing import Any

import pytest
from samtranslator.yaml_helper import yaml_parse

from imagetrail.http import Request
from local import template
from local.parameters import InvalidParameterError, parameters


@pytest.fixture(scope="module")
def resources() -> dict[str, Any]:
    """The resources as SAM spells them out, the API with all its routes in one."""
    source = template.source()
    for resource in source["Resources"].values():
        for name in {"CodeUri", "ContentUri"} & resource.get("Properties", {}).keys():
            resource["Properties"][name] = {"Bucket": "artifacts", "Key": "code"}
    return dict(template.transformed(source, {})["Resources"])


@pytest.fixture(scope="module")
def distribution() -> dict[str, Any]:
    edge = yaml_parse((template.ROOT / "infra" / "edge.yaml").read_text())
    return dict(edge["Resources"]["Distribution"]["Properties"]["DistributionConfig"])


def named(part: Any) -> Iterator[str]:
    """Every name that intrinsic functions refer to."""
    if isinstance(part, list):
        for member in part:
            yield from named(member)
    if not isinstance(part, dict):
        return
    for key, value in part.items():
        match key, value:
            case "Ref", str():
                yield value
            case "Fn::GetAtt", [str(name), *_]:
                yield name
            case "Fn::Sub", str():
                yield from re.findall(r"\$\{([\w:]+)", value)
            case "Fn::Sub", [str(text), dict(given)]:
                yield from (name for name in re.findall(r"\$\{([\w:]+)", text) if name not in given)
                yield from named(given)
            case "DependsOn", str():
                yield value
            case "DependsOn", list():
                yield from value
            case _:
                yield from named(value)


def test_nothing_waits_for_itself_to_be_created(resources: dict[str, Any]) -> None:
    waits_for = {name: set(named(resource)) & resources.keys() for name, resource in resources.items()}
    assert "GenerateImage" in waits_for["Api"]
    assert "Api" in waits_for["Edge"]
    TopologicalSorter(waits_for).prepare()


def test_the_edge_proves_itself_by_a_header_that_cloudfront_adds(distribution: dict[str, Any]) -> None:
    (header,) = [h for origin in distribution["Origins"] for h in origin.get("OriginCustomHeaders", ())]
    name = header["HeaderName"]
    assert not name.startswith(("x-amz-", "x-edge-", "x-real-ip"))  # CloudFront refuses those
    request = Request({"headers": {name: "key"}, "requestContext": {"http": {"sourceIp": "192.0.2.1"}}})
    assert request.origin.edge_key == "key"


@pytest.mark.parametrize(
    "origins",
    [
        "",
        "https://app.example.com",
        "http://localhost:5173",
        "https://app.example.com,http://localhost:5173,http://127.0.0.1:8000,http://[::1]:3000",
        "https://app.example.com:8443,http://app.example.com:443",
    ],
)
def test_exact_origins_can_be_allowed(origins: str) -> None:
    assert parameters(template.source(), {"AllowedOrigins": origins})["AllowedOrigins"] == origins


@pytest.mark.parametrize(
    "origins",
    [
        *("*", "null", "app.example.com", "ftp://app.example.com", "https://", "https://*.example.com"),
        *("https://app.example.com/", "https://app.example.com/path", "https://app.example.com?x", "HTTPS://a.example"),
        *("https://user@app.example.com", "https://App.example.com", "https://a.example:123456", "https://a.example:"),
        *("https://a.example, https://b.example", "https://a.example,", ",https://a.example", "https://a.example,,"),
        *(
            "https://a.example:443",
            "http://a.example:80,https://b.example",
            "https://a.example\n",
            "https://a.example,*",
        ),
    ],
)
def test_nothing_else_can(origins: str) -> None:
    with pytest.raises(InvalidParameterError, match="is refused: it must be origins"):
        parameters(template.source(), {"AllowedOrigins": origins})
