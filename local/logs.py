"""What the functions log, as lines for a person."""

import json
import re
import sys
import time
from contextlib import suppress
from typing import Any

_NAME = re.compile(r"^\w+-(\w+)-\w+$")  # CloudFormation's: stack, logical id, suffix
_KNOWN = frozenset({"code", "level", "message", "ms", "request_id", "route", "service", "status", "timestamp"})


def report(function: str, text: str, ms: int, *, failed: bool) -> None:
    """Writes one line for a call, and one for whatever else it said."""
    name = _NAME.sub(r"\1", function)
    lines = [line for entry in text.splitlines() if (line := _line(name, entry))]
    if failed and not lines:
        lines.append(f"{name}: failed after {ms} ms")
    now = time.strftime("%H:%M:%S")
    with suppress(OSError):  # the terminal may be gone; the call must not fail for that
        sys.stdout.write("".join(f"{now} {line}\n" for line in lines))
        sys.stdout.flush()


def _line(name: str, entry: str) -> str:
    try:
        said = json.loads(entry)
    except ValueError:
        return f"{name}: {entry}"
    if not isinstance(said, dict):
        return f"{name}: {entry}"
    if "_aws" in said:  # metrics
        return ""
    if said.get("message") == "swept" and not any(said.get("tally", {}).values()):
        return ""
    if said.keys() >= {"route", "status", "ms"}:
        return f"{said['status']} {said['route']} {said['ms']} ms{_code(said)}"
    rest = " ".join(f"{key}={value}" for key, value in said.items() if key not in _KNOWN)
    return f"{said.get('level', 'INFO')} {name}: {said.get('message', '')} {rest}".rstrip()


def _code(said: dict[str, Any]) -> str:
    return f" {said['code']} (request {said.get('request_id')})" if said.get("code") else ""
