"""SQL over the lake, its answers as a table or as CSV."""

from __future__ import annotations

import csv
import re
from typing import IO, TYPE_CHECKING

from imagetrail.spreadsheet import harmless

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from imagetrail.analytics.athena import Answer, Column

SHOWN = 1_000
_WIDEST = 60
_QUOTED_OR_SAID = re.compile(r"""'[^']*'|"[^"]*"|--[^\n]*|/\*.*?\*/""", re.DOTALL)
_QUESTION = re.compile(r"[\s(]*(select|with|values|show|describe|explain)\b[^;]*;?\s*", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def is_question(query: str) -> bool:
    """Whether it is one statement, and of those that change nothing."""
    return _QUESTION.fullmatch(_QUOTED_OR_SAID.sub(" ", query)) is not None


def as_table(answer: Answer) -> Iterator[str]:
    """The lines of a table: numbers to the right, long texts cut, at most a thousand rows."""
    rows = [[_cell(value) for value in row] for _, row in zip(range(SHOWN), answer.rows, strict=False)]
    heads = [column.name for column in answer.columns]
    widths = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]
    yield _line(heads, widths, answer.columns)
    yield "  ".join("-" * width for width in widths)
    for row in rows:
        yield _line(row, widths, answer.columns)
    if next(answer.rows, None) is not None:
        yield f"… only the first {SHOWN:,} rows; --csv writes all"


def write_csv(answer: Answer, file: IO[str]) -> None:
    """All rows, under a header. A text that a spreadsheet would run is kept from it."""
    writer = csv.writer(file)
    writer.writerow([column.name for column in answer.columns])
    for row in answer.rows:
        told = zip(row, answer.columns, strict=True)
        writer.writerow([value if value is None or column.is_number else harmless(value) for value, column in told])


def _cell(value: str | None) -> str:
    text = "" if value is None else _CONTROL.sub("\N{REPLACEMENT CHARACTER}", " ".join(value.split()))
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 1]}…"


def _line(cells: list[str], widths: list[int], columns: Iterable[Column]) -> str:
    return "  ".join(
        cell.rjust(width) if column.is_number else cell.ljust(width)
        for cell, width, column in zip(cells, widths, columns, strict=True)
    ).rstrip()
