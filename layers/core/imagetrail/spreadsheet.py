"""Records as CSV (RFC 4180) that opens clean in a spreadsheet, and as JSON lines.

A spreadsheet runs a cell that begins like a formula. A text that does, after any number of apostrophes, gets one more
apostrophe in front: it is shown as it is, and taking one apostrophe from whatever looks so gives every text back.
Null is an empty cell, the empty text a quoted one; lists and objects are JSON; numbers are written as numbers.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import orjson

from imagetrail.records import COLUMNS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

BOM = b"\xef\xbb\xbf"
_LINE_ENDS = [(mark.encode(), f"\\u{ord(mark):04x}".encode()) for mark in "\u0085\u2028\u2029"]
# The last four are the full-width forms, which a spreadsheet in an Asian locale takes for the others.
_FORMULA = re.compile(r"'*[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
_QUOTED = re.compile(r'[",\r\n]|^$|^\s|\s$')


def csv_header() -> bytes:
    """The names of all columns."""
    return csv_line(COLUMNS)


def csv_record(record: Mapping[str, Any]) -> bytes:
    """A public record, every column in its place."""
    return csv_line(record[column] for column in COLUMNS)


def csv_line(values: Iterable[Any]) -> bytes:
    """Any values."""
    return (",".join(map(_cell, values)) + "\r\n").encode()


def json_record(record: Mapping[str, Any]) -> bytes:
    """A public record as one line of JSON, every column in the same order.

    What Unicode counts as the end of a line is escaped: many readers split lines there.
    """
    ordered = {column: _ordered(record[column]) for column in COLUMNS}
    line = orjson.dumps(ordered, option=orjson.OPT_APPEND_NEWLINE)
    for character, escape in _LINE_ENDS:
        line = line.replace(character, escape)
    return line


def harmless(text: str) -> str:
    """The text as a spreadsheet may have it."""
    return f"'{text}" if _FORMULA.match(text) else text


def meant(text: str) -> str:
    """The text that `harmless` was given."""
    return text[1:] if text.startswith("'") and _FORMULA.match(text) else text


def _cell(value: Any) -> str:
    match value:
        case None:
            return ""
        case str():
            text = harmless(value)
        case bool() | int() | float():
            return orjson.dumps(value).decode()
        case _:
            text = orjson.dumps(_ordered(value)).decode()
    return '"' + text.replace('"', '""') + '"' if _QUOTED.search(text) else text


def _ordered(value: Any) -> Any:
    """The tables do not keep the order of an object's members."""
    if isinstance(value, dict):
        return {name: _ordered(value[name]) for name in sorted(value)}
    return [_ordered(member) for member in value] if isinstance(value, list | tuple) else value
