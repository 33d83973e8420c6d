"""A record as analytics take it: every column, of one type whatever wrote it, or an error that says why not."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from imagetrail import records
from imagetrail.records import STATUSES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Row = dict[str, Any]
"""Every column of a record; None where the record has none."""

_TYPES = {
    "reference_images_count": "int",
    "unique_visual_elements": "array<string>",
    "created_at": "timestamp",
    "seed": "bigint",
    "width": "int",
    "height": "int",
    "bytes": "bigint",
    "cost_usd": "decimal(18,6)",
    "generation_ms": "bigint",
    "dataset_version": "int",
    "reference_images": "array<struct<key:string,sha256:string>>",
    "dropped_params": "array<string>",
    "favorite": "boolean",
    "deleted_at": "timestamp",
}
SCHEMA: Mapping[str, str] = {column: _TYPES.get(column, "string") for column in records.COLUMNS}
"""The type of every column in the lake, in Hive's words."""

PERSONAL = ("user_id", "prompt", "full_prompt", "negative_prompt")
_MOST_USD = 1e6


class Poisoned(ValueError):
    """A record that cannot be counted; the message names the column, never its value."""


def row(item: Mapping[str, Any], day: str) -> Row:
    """The record of a day; what an older schema lacks is None or its default. Raises Poisoned."""
    made: Row = {}
    for column, (fits, _) in _CHECKS.items():
        value = item.get(column)
        if value is not None and not fits(value):
            raise Poisoned(column)
        made[column] = value
    if not made["id"] or made["status"] not in STATUSES:
        raise Poisoned("id" if not made["id"] else "status")
    if made["created_at"] is None or made["created_at"][:10] != day:
        raise Poisoned("created_at")
    made["favorite"] = bool(made["favorite"])
    made["reference_images_count"] = made["reference_images_count"] or 0
    return made


def _is_text(value: object) -> bool:
    return type(value) is str


def _is_whole(bits: int) -> Callable[[object], bool]:
    limit = 1 << (bits - 1)
    return lambda value: type(value) is int and -limit <= value < limit


def _is_amount(value: object) -> bool:
    return type(value) in (int, float) and 0 <= value < _MOST_USD  # type: ignore[operator]


def _is_moment(value: object) -> bool:
    if type(value) is not str or len(value) != 27 or not value.endswith("Z"):
        return False
    with suppress(ValueError):
        return datetime.fromisoformat(value).tzinfo is UTC
    return False


def _are_texts(value: object) -> bool:
    return type(value) is list and all(map(_is_text, value))


def _are_references(value: object) -> bool:
    return type(value) is list and all(
        type(member) is dict and all(member.get(name) is None or _is_text(member[name]) for name in ("key", "sha256"))
        for member in value
    )


# The check of each of Hive's types, and its name in DuckDB.
_KINDS: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "string": (_is_text, "VARCHAR"),
    "int": (_is_whole(32), "INTEGER"),
    "bigint": (_is_whole(64), "BIGINT"),
    "decimal(18,6)": (_is_amount, "DECIMAL(18,6)"),
    "boolean": (lambda value: type(value) is bool, "BOOLEAN"),
    "timestamp": (_is_moment, "TIMESTAMP"),
    "array<string>": (_are_texts, "VARCHAR[]"),
    "array<struct<key:string,sha256:string>>": (_are_references, 'STRUCT("key" VARCHAR, sha256 VARCHAR)[]'),
}
_CHECKS = {column: _KINDS[kind] for column, kind in SCHEMA.items()}
DUCKDB: Mapping[str, str] = {column: name for column, (_, name) in _CHECKS.items()}
"""The same types in DuckDB's words."""
