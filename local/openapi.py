"""Writes the OpenAPI document: the routes from the template, the rest from the handlers and the models."""

from __future__ import annotations

import json
import re
from importlib import import_module
from inspect import cleandoc
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic.json_schema import models_json_schema
from samtranslator.yaml_helper import yaml_parse

from imagetrail import answers, openapi_document, schemas
from imagetrail.analytics.parameters import REPORT
from imagetrail.errors import ImagetrailError, hierarchy
from imagetrail.queries import USER_ID, Words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import BaseModel
    from pydantic.json_schema import JsonSchemaMode

    from imagetrail.endpoints import Endpointed

ROOT = Path(__file__).parents[1]
_SCHEMAS = "#/components/schemas"
_SUBMITTED_WITH = [
    {
        "name": "Idempotency-Key",
        "in": "header",
        "description": "The same key and body have one effect, and the same answer, for 24 hours",
        "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]([ -~]*[!-~])?$"},
    },
    {
        "name": "Prefer",
        "in": "header",
        "description": "`respond-async` answers 202 at once; `wait=n` answers within n seconds, 202 if it is not done",
        "schema": {"type": "string", "examples": ["respond-async", "wait=10"]},
    },
]
_TAGGED = {"Dataset": {"ETag": {"schema": {"type": "string"}, "description": "Of this version, for If-Match"}}}


def build() -> dict[str, Any]:
    """The whole document, deterministic for the same sources."""
    paths: dict[str, Any] = {}
    used: set[str] = {"Problem"}
    table = list(routes())
    words = {(path, method) for path, method, _, _ in table if "{" not in path}
    for path, method, function, handler in table:
        statuses = handler.operation.error_statuses(method.upper(), path)
        if _hides(path, method, words):
            statuses.add(405)
        paths.setdefault(path, {})[method] = _operation(path, function, handler, statuses, used)
    _, definitions = models_json_schema([_model(name) for name in sorted(used)], ref_template=f"{_SCHEMAS}/{{model}}")
    components = definitions["$defs"]
    components["Problem"]["properties"]["code"]["enum"] = [error.code for error in hierarchy()]
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "imagetrail",
            "version": "1",
            "description": "Generates images and keeps the audit trail of how each came to be.",
        },
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "Optional: without it the caller is anonymous. A token that does not verify is 401.",
                }
            },
        },
        "security": [{}, {"bearer": []}],
    }


def routes() -> Iterator[tuple[str, str, str, Endpointed]]:
    """Path, method, function and handler of every route of the template but the catch-all, and HEAD beside GET."""
    template = yaml_parse((ROOT / "template.yaml").read_text())
    for function, resource in template["Resources"].items():
        for event in resource["Properties"].get("Events", {}).values() if "Properties" in resource else ():
            route = event["Properties"]
            if event["Type"] != "HttpApi" or route["Path"] == "$default" or route["Method"] == "HEAD":
                continue
            module = resource["Properties"]["Handler"].removesuffix(".handler")
            handler = import_module(f"functions.{module}").handler
            yield route["Path"], route["Method"].lower(), function, handler


def _hides(path: str, method: str, words: set[tuple[str, str]]) -> bool:
    """Whether a parameter of the path matches a path of its own that does not take the method."""
    pattern = openapi_document.pattern(path)
    return any(pattern.fullmatch(word) and (word, method) not in words for word, _ in words if word != path)


def _operation(path: str, function: str, handler: Endpointed, statuses: set[int], used: set[str]) -> dict[str, Any]:
    operation, summary = handler.operation, cleandoc(handler.__doc__ or "")
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"} | _form(name)}
        for name in re.findall(r"{(\w+)}", path)
    ] + [
        {"name": p.name, "in": "query", "schema": p.schema} | ({"required": True} if isinstance(p, Words) else {})
        for p in operation.query or ()
    ]
    if operation.submits:
        parameters += _SUBMITTED_WITH
    if operation.conditional:
        parameters.append({"name": "If-Match", "in": "header", "schema": {"type": "string"}})
    described: dict[str, Any] = {"operationId": function, "summary": summary}
    if parameters:
        described["parameters"] = parameters
    if operation.body is not None:
        used.add(operation.body.__name__)
        described["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": {"$ref": f"{_SCHEMAS}/{operation.body.__name__}"}}},
        }
    described["responses"] = {str(status): _answer(name, used) for status, name in operation.answers.items()} | {
        str(status): _problem(status) for status in sorted(statuses)
    }
    return described


def _form(parameter: str) -> dict[str, Any]:
    """Every id in a path is ours but a user's, which is the issuer's; a report is one of some words."""
    return {USER_ID.name: USER_ID.schema, REPORT.name: REPORT.schema}.get(parameter, {"format": "uuid"})


def _model(name: str) -> tuple[type[BaseModel], JsonSchemaMode]:
    if hasattr(answers, name):
        return getattr(answers, name), "serialization"
    return getattr(schemas, name), "validation"


def _answer(name: str, used: set[str]) -> dict[str, Any]:
    name, *files = [part for part in name.split() if "/" not in part] + [part for part in name.split() if "/" in part]
    if "/" in name:
        return {"description": "A file", "content": {media_type: {} for media_type in (name, *files)}}
    if not hasattr(answers, name):
        return {"description": name, "content": {"application/json": {"schema": {"type": "object"}}}}
    used.add(name)
    description = cleandoc(getattr(answers, name).__doc__ or name)
    return {
        "description": description,
        **({"headers": _TAGGED[name]} if name in _TAGGED else {}),
        "content": {"application/json": {"schema": {"$ref": f"{_SCHEMAS}/{name}"}}}
        | {media_type: {} for media_type in files},
    }


def _problem(status: int) -> dict[str, Any]:
    errors: list[type[ImagetrailError]] = [error for error in hierarchy() if error.status == status]
    described = "; ".join(f"`{error.code}`: {error.title}" for error in errors)
    return {
        "description": described,
        "content": {"application/problem+json": {"schema": {"$ref": f"{_SCHEMAS}/Problem"}}},
    }


def text() -> str:
    """The document as it is written to the file."""
    return json.dumps(build(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    openapi_document.PATH.write_text(text())
