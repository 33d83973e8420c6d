"""The OpenAPI document that was written at build time: it is served, and it tells which paths exist."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import orjson

from imagetrail.errors import ImagetrailError, MethodNotAllowed, NotFound

PATH = Path(__file__).with_name("openapi.json")


@cache
def text() -> bytes:
    """The document, as JSON."""
    return PATH.read_bytes()


@cache
def _methods_by_path() -> list[tuple[re.Pattern[str], list[str]]]:
    paths: dict[str, dict[str, object]] = orjson.loads(text())["paths"]
    return [
        (re.compile(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(path))), [method.upper() for method in operations])
        for path, operations in paths.items()
    ]


def rejection(method: str, path: str) -> ImagetrailError:
    """What is wrong with a request that no route takes."""
    for pattern, methods in _methods_by_path():
        if pattern.fullmatch(path):
            allow = ", ".join(methods)
            return MethodNotAllowed(f"This path does not take {method}. It takes {allow}.", headers={"allow": allow})
    return NotFound("There is no such path. /ai/openapi.json lists those that there are.")
