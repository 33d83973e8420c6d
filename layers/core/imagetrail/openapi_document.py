"""The OpenAPI document that was written at build time: it is served, and it tells which paths exist."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from imagetrail.errors import ImagetrailError, MethodNotAllowed, NotFound

if TYPE_CHECKING:
    from collections.abc import Mapping

PATH = Path(__file__).with_name("openapi.json")
_ID_LENGTH = 36


@cache
def text() -> bytes:
    """The document, as JSON."""
    return PATH.read_bytes()


@cache
def _methods_by_path() -> dict[str, list[str]]:
    """The methods of every path; the document leaves HEAD out, which goes with GET."""
    paths: dict[str, dict[str, object]] = orjson.loads(text())["paths"]
    return {
        path: [method.upper() for method in operations] + (["HEAD"] if "get" in operations else [])
        for path, operations in paths.items()
    }


@cache
def _patterns() -> list[tuple[re.Pattern[str], list[str]]]:
    """Paths without parameters first: they stand before those whose parameters would match them."""
    return [
        (pattern(path), methods)
        for path, methods in sorted(_methods_by_path().items(), key=lambda entry: entry[0].count("{"))
    ]


def pattern(path: str) -> re.Pattern[str]:
    """What a path of the document matches."""
    return re.compile(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(path)))


def rejection(method: str, path: str) -> ImagetrailError:
    """What is wrong with a request that no route takes."""
    for form, methods in _patterns():
        if form.fullmatch(path):
            allow = ", ".join(methods)
            return MethodNotAllowed(f"This path does not take {method}. It takes {allow}.", headers={"allow": allow})
    return NotFound("There is no such path. /ai/openapi.json lists those that there are.")


def require_route(event: Mapping[str, Any]) -> None:
    """Raises MethodNotAllowed for a path without parameters that came to a route with some.

    API Gateway takes `GET /things/{id}` for GET of /things/batch where that path takes POST alone. Ids are told from
    words by their length, so that a read of a record need not read the document.
    """
    words = [value for value in (event.get("pathParameters") or {}).values() if len(value) != _ID_LENGTH]
    if words and "{" in event["routeKey"] and event["rawPath"] in _methods_by_path():
        raise rejection(event["requestContext"]["http"]["method"], event["rawPath"])
