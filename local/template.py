"""template.yaml as the emulator takes it: SAM expanded, nested stacks folded in, routes spelled out.

The emulator differs from CloudFormation in what this module changes, and in nothing else:
it ignores an HTTP API's `Body`, it runs functions in this virtual environment, which holds what the layers
hold, it does not tell them their log level, and its user pools publish their keys at its own address.
"""

import hashlib
import io
import json
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import boto3
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator
from samtranslator.yaml_helper import intrinsics_multi_constructor
from yaml import CSafeLoader, load

from local import nested
from local.aws import REGION

ROOT = Path(__file__).resolve().parent.parent
ARTIFACTS = "imagetrail-artifacts"

Template = dict[str, Any]


@dataclass(frozen=True)
class Package:
    """A template ready to deploy, where it will be found, and the bucket of artifacts with it and the code."""

    template: Template
    url: str
    objects: dict[str, bytes]


def source(root: Path = ROOT) -> Template:
    """template.yaml as it is written, intrinsic functions in their long form."""
    return _parsed(root / "template.yaml")


def package(parameters: dict[str, str], endpoint: str, root: Path = ROOT) -> Package:
    """What to deploy to the emulator at `endpoint`; the same bytes for the same sources and parameters."""
    template = source(root)
    objects: dict[str, bytes] = {}
    _without_layers(template)
    for properties in _code(template):
        folder = root / properties["CodeUri"]
        key = _store(objects, _zipped(folder), "zip")
        properties["CodeUri"] = {"Bucket": ARTIFACTS, "Key": key}
    children = {
        name: _parsed(root / resource["Properties"]["TemplateURL"])
        for name, resource in template["Resources"].items()
        if resource["Type"] == nested.STACK
    }
    for child in children.values():
        _without_edge_key(child)
    expanded = transformed(template, parameters)
    _spell_out_routes(expanded["Resources"])
    for resource in expanded["Resources"].values():
        if resource["Type"] == "AWS::Lambda::Function":
            variables = resource["Properties"]["Environment"]["Variables"]
            variables["LOCAL_RUN"] = "true"
            variables["BUCKET_URL"] = {"Fn::Sub": "${PublicUrl}/${Storage.Outputs.Bucket}"}
            variables["POWERTOOLS_LOG_LEVEL"] = resource["Properties"]["LoggingConfig"]["ApplicationLogLevel"]
    expanded = nested.fold(_with_local_keys(expanded, endpoint), children)
    key = _store(objects, json.dumps(expanded).encode(), "json")
    return Package(expanded, f"https://s3.amazonaws.com/{ARTIFACTS}/{key}", objects)


class _Loader(CSafeLoader):  # type: ignore[misc]
    """YAML with CloudFormation's short forms."""


_Loader.add_multi_constructor("!", intrinsics_multi_constructor)


def _parsed(file: Path) -> Template:
    template: Template = load(file.read_text(), _Loader)  # noqa: S506
    return template


def transformed(template: Template, parameters: dict[str, str]) -> Template:
    """What CloudFormation makes of the template before it creates anything."""
    expanded: Template = json.loads(_transformed(json.dumps(template), json.dumps(parameters)))
    return expanded


@lru_cache(maxsize=16)
def _transformed(template: str, parameters: str) -> str:
    translator = Translator({}, Parser(), boto_session=boto3.Session(region_name=REGION))
    expanded = translator.translate(json.loads(template), json.loads(parameters))
    translator.metrics.publish()  # it complains on standard error otherwise
    return json.dumps(expanded)


def _without_layers(template: Template) -> None:
    resources = template["Resources"]
    template["Globals"]["Function"].pop("Layers", None)
    for name in [name for name, resource in resources.items() if resource["Type"].endswith("::LayerVersion")]:
        del resources[name]
    for resource in resources.values():
        resource.get("Properties", {}).pop("Layers", None)


def _without_edge_key(template: Template) -> None:
    """The front door has no key to show; and the emulator takes a reference to a secret for a change at every start."""
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::CloudFront::Distribution":
            for origin in resource["Properties"]["DistributionConfig"]["Origins"]:
                origin.pop("OriginCustomHeaders", None)


def _code(template: Template) -> Iterator[dict[str, Any]]:
    candidates = [template["Globals"]["Function"]]
    candidates += [resource.get("Properties", {}) for resource in template["Resources"].values()]
    return (properties for properties in candidates if isinstance(properties.get("CodeUri"), str))


def _spell_out_routes(resources: dict[str, Any]) -> None:
    """Moves what each HTTP API's `Body` says into Route and Integration resources."""
    for api, resource in list(resources.items()):
        if resource["Type"] != "AWS::ApiGatewayV2::Api":
            continue
        properties = resource["Properties"]
        body = properties.pop("Body")
        properties.pop("FailOnWarnings", None)
        properties |= {"Name": body["info"]["title"], "ProtocolType": "HTTP"}
        if cors := body.get("x-amazon-apigateway-cors"):
            properties["CorsConfiguration"] = _capitalized(cors)
        for path, operations in body["paths"].items():
            for method, operation in operations.items():
                key = path if path == "$default" else f"{_METHODS.get(method, method.upper())} {path}"
                name = api + hashlib.sha256(key.encode()).hexdigest()[:8]
                integration = operation["x-amazon-apigateway-integration"]
                resources[f"{name}Integration"] = {
                    "Type": "AWS::ApiGatewayV2::Integration",
                    "Properties": {
                        "ApiId": {"Ref": api},
                        "IntegrationType": integration["type"].upper(),
                        "IntegrationMethod": integration["httpMethod"],
                        "IntegrationUri": integration["uri"],
                        "PayloadFormatVersion": integration["payloadFormatVersion"],
                    },
                }
                resources[f"{name}Route"] = {
                    "Type": "AWS::ApiGatewayV2::Route",
                    "Properties": {
                        "ApiId": {"Ref": api},
                        "RouteKey": key,
                        "Target": {"Fn::Sub": f"integrations/${{{name}Integration}}"},
                    },
                }


def _capitalized(node: Any) -> Any:
    """What OpenAPI writes in camel case, as CloudFormation does."""
    if isinstance(node, list):
        return [_capitalized(item) for item in node]
    if not isinstance(node, dict) or "Ref" in node:
        return node
    return {
        name[0].upper() + name[1:]: _capitalized(value) if name == "Fn::If" else value for name, value in node.items()
    }


_METHODS = {"x-amazon-apigateway-any-method": "ANY"}


def _with_local_keys(node: Any, endpoint: str) -> Any:
    """Points whatever reads a user pool's keys at the emulator, which serves them under its own address."""
    if isinstance(node, list):
        return [_with_local_keys(item, endpoint) for item in node]
    if not isinstance(node, dict):
        return node
    if node == {"Fn::GetAtt": ["Auth", "Outputs.JwksUrl"]}:
        return {"Fn::Sub": f"{endpoint}/${{Auth.Outputs.UserPoolId}}/.well-known/jwks.json"}
    return {name: _with_local_keys(value, endpoint) for name, value in node.items()}


def _zipped(folder: Path) -> bytes:
    """A folder's Python files as a zip whose bytes depend on nothing but theirs."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*.py")):
            archive.writestr(zipfile.ZipInfo(file.relative_to(folder).as_posix()), file.read_bytes())
    return buffer.getvalue()


def _store(objects: dict[str, bytes], body: bytes, suffix: str) -> str:
    """Puts an object under a key that is made of its content."""
    key = f"{hashlib.sha256(body).hexdigest()[:16]}.{suffix}"
    objects[key] = body
    return key
