"""The types of the pages, written from the API's own document: what the API changes, the pages' compiler sees."""

from pathlib import Path
from typing import Any

import orjson

from imagetrail import openapi_document

_PLAIN = {"string": "string", "integer": "number", "number": "number", "boolean": "boolean", "null": "null"}


def write(file: Path) -> None:
    """One interface for each schema of the OpenAPI document."""
    schemas = orjson.loads(openapi_document.text())["components"]["schemas"]
    text = "\n".join(f"export type {name} = {_type(schema)};" for name, schema in sorted(schemas.items()))
    if not file.exists() or file.read_text() != text:
        file.write_text(text)


def _type(schema: Any) -> str:
    if not isinstance(schema, dict):
        return "unknown"
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "const" in schema:
        return orjson.dumps(schema["const"]).decode()
    if "enum" in schema:
        return " | ".join(orjson.dumps(value).decode() for value in schema["enum"])
    for several in ("anyOf", "oneOf"):
        if several in schema:
            return " | ".join(dict.fromkeys(_type(one) for one in schema[several]))
    kind = schema.get("type")
    if isinstance(kind, list):
        return " | ".join(_PLAIN.get(one, "unknown") for one in kind)
    if kind == "array":
        return f"({_type(schema.get('items'))})[]"
    if kind == "object" and "properties" in schema:
        required = set(schema.get("required", ()))
        fields = (
            f"{orjson.dumps(name).decode()}{'' if name in required else '?'}: {_type(one)}"
            for name, one in schema["properties"].items()
        )
        return "{ " + "; ".join(fields) + " }"
    if kind == "object":
        return f"Record<string, {_type(schema.get('additionalProperties'))}>"
    return _PLAIN.get(str(kind), "unknown")
