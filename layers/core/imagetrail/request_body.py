"""The body of a request as JSON: UTF-8, no compression, every key once."""

from __future__ import annotations

import base64
import json
import re
from typing import TYPE_CHECKING, Any

import orjson

from imagetrail.errors import Invalid, Malformed, TooLarge, UnsupportedMediaType

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_BODY_BYTES = 512 * 1024
_BOM = b"\xef\xbb\xbf"
_CHARSET = re.compile(r";\s*charset\s*=\s*\"?([^\s;\"]*)", re.IGNORECASE)
_UTF_8 = frozenset({"utf-8", "utf8", "us-ascii", "ascii"})
_SURROGATE = re.compile("[\ud800-\udfff]")


class _RepeatedKey(ValueError):
    """An object that has a key twice; its argument is the key."""


def raw_body(event: Mapping[str, Any]) -> bytes:
    """The body as it was sent. Raises Malformed."""
    text = event.get("body") or ""
    if not event.get("isBase64Encoded"):
        return bytes(text.encode("utf-8", "surrogatepass"))
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        raise Malformed("The body cannot be decoded.") from None


def json_body(event: Mapping[str, Any]) -> Any:
    """The body as JSON. Raises UnsupportedMediaType, TooLarge, Malformed and Invalid."""
    _check_encoding(event.get("headers") or {})
    raw = raw_body(event)
    if len(raw) > MAX_BODY_BYTES:
        raise TooLarge(f"The body has {len(raw)} bytes; it may have {MAX_BODY_BYTES}.")
    raw = raw.removeprefix(_BOM)
    if not raw.strip():
        raise Malformed("The body is empty. Send a JSON object.")
    try:
        document = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        _check_surrogates(raw)
        raise Malformed(f"The body is not JSON: {error}. Send a JSON object in UTF-8.") from None
    _check_keys(raw)
    return document


def _check_encoding(headers: Mapping[str, str]) -> None:
    coding = headers.get("content-encoding", "").strip().lower()
    if coding not in ("", "identity"):
        raise UnsupportedMediaType(
            "The body is compressed. Send it as it is, without Content-Encoding.",
            headers={"accept-encoding": "identity"},
        )
    charset = _CHARSET.search(headers.get("content-type", ""))
    if charset and charset[1].lower() not in _UTF_8:
        raise UnsupportedMediaType("The body must be in UTF-8. Send it with Content-Type: application/json.")


def _check_keys(raw: bytes) -> None:
    """Raises Invalid for a key that stands twice in one object: JSON leaves open which of its values counts."""
    try:
        json.loads(raw, object_pairs_hook=_require_unique)
    except _RepeatedKey as error:
        key = str(error)
        raise Invalid("An object of the body has a key twice.", errors=[(key, "must be given once")]) from None
    except RecursionError:
        raise Malformed("The body is nested too deeply.") from None


def _require_unique(members: list[tuple[str, Any]]) -> None:
    keys: set[str] = set()
    for key, _ in members:
        if key in keys:
            raise _RepeatedKey(key)
        keys.add(key)


def _check_surrogates(raw: bytes) -> None:
    """Raises Invalid that names the fields with half of a surrogate pair: JSON can escape one, nothing can store it."""
    try:
        document = json.loads(raw)
        fields = document.items() if isinstance(document, dict) else ()
        broken = [name for name, value in fields if _SURROGATE.search(json.dumps([name, value], ensure_ascii=False))]
    except (ValueError, RecursionError):
        return
    if broken:
        shown = [name.encode("utf-8", "replace").decode() for name in broken]
        raise Invalid(
            "The body holds half of a surrogate pair.",
            errors=[(name, "must be valid Unicode: it has an unpaired surrogate") for name in shown],
        )
