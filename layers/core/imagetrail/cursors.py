"""Opaque positions in a history.

A cursor carries a position and a digest that binds it to what it was made for. It needs no secret: the partition
that is read always follows from the caller, so a position forged with this source at hand shows its forger only
another part of their own history.
"""

from __future__ import annotations

import base64
import hashlib
import re
from typing import Any, NamedTuple

import orjson

from imagetrail.errors import InvalidCursor

_DIGEST_BYTES = 9
_POSITION = re.compile(r"\d{4}-\d\d-\d\d(T[\d:.]{15}Z/[0-9a-f-]{36}|/)")


class Position(NamedTuple):
    """The last record that was passed, in created_at order."""

    created_at: str
    id: str


def encode(position: Position, scope: tuple[str | None, ...]) -> str:
    """A URL-safe cursor for this position; `scope` is everything that must be the same when it comes back."""
    return seal(list(position), scope)


def decode(cursor: str, scope: tuple[str | None, ...]) -> Position:
    """Raises InvalidCursor for anything `encode` did not make for this scope."""
    try:
        position = Position(*unseal(cursor, scope))
        if _POSITION.fullmatch("/".join(position)):
            return position
    except TypeError:
        pass
    raise refused()


def seal(values: list[Any], scope: tuple[str | None, ...]) -> str:
    """A URL-safe text that holds some JSON values, bound to the scope."""
    plain = orjson.dumps(values)
    return base64.urlsafe_b64encode(_digest(plain, scope) + plain).decode().rstrip("=")


def unseal(cursor: str, scope: tuple[str | None, ...]) -> list[Any]:
    """Raises InvalidCursor for anything `seal` did not make for this scope."""
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        digest, plain = raw[:_DIGEST_BYTES], raw[_DIGEST_BYTES:]
        if digest == _digest(plain, scope):
            values = orjson.loads(plain)
            if isinstance(values, list) and seal(values, scope) == cursor:
                return values
    except ValueError:
        pass
    raise refused()


def refused() -> InvalidCursor:
    """What is wrong with a cursor of another caller, other filters, or nobody's making."""
    return InvalidCursor(
        "This cursor was not made for this caller and these filters. Start again without a cursor.",
        errors=[("cursor", "must be a next_cursor of the same caller, with the same filters")],
    )


def _digest(plain: bytes, scope: tuple[str | None, ...]) -> bytes:
    return hashlib.blake2b(orjson.dumps(scope) + plain, digest_size=_DIGEST_BYTES).digest()
