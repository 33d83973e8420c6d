"""Whether the service answered only what its OpenAPI document says, by the lines of its log."""

import json
import re
from pathlib import Path

from imagetrail import openapi_document

_CALL = re.compile(r"^[\d:]{8} (\d{3}) ([A-Z]+) (/ai/\S+) [\d.]+ ms", re.MULTILINE)


def undocumented(log: Path) -> list[str]:
    """Every status with its route that was answered and is not documented."""
    paths = json.loads(openapi_document.text())["paths"]
    return sorted(
        f"{status} {method} {path}"
        for status, method, path in set(_CALL.findall(log.read_text()))
        if status not in paths[path][method.replace("HEAD", "GET").lower()]["responses"]
    )
