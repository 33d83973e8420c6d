"""The rows of a table and the names of its columns, whatever format it came in."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from imagetrail.records import COLUMNS, SEED_COLUMNS
from local.problem import ProblemError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

LONGEST_ROW = 4_000_000
"""Characters: ten times what an item of the tables may have."""
_REQUIRED = ("id", "prompt", "created_at")
_OWN = frozenset({"status", "sha256", "thumbnail_url"})
_DAMAGED = re.compile("[\ud800-\udfff]")


class Unreadable(ValueError):
    """A row that cannot be taken apart; the message says why."""


class Row(NamedTuple):
    """Where a row begins, and its cells by column, None where it is null; or why it cannot be read."""

    line: int
    cells: dict[str, Any] | None
    trouble: str = ""


def _key(name: str) -> str:
    return re.sub(r"[\W_]", "", name).casefold()


_KNOWN = {_key(name): name for name in COLUMNS}


def known(name: str) -> str | None:
    """The column that a name means, in any case and with any separators: "Created At" is created_at."""
    return _KNOWN.get(_key(name))


def is_own(names: Iterable[str | None]) -> bool:
    """Whether these are the columns of an export of imagetrail."""
    return set(names) >= _OWN


def resolved(names: Sequence[str], *, ignore_unknown: bool, needs_all: bool = True) -> tuple[str | None, ...]:
    """The column of each name, None where it is to be left out.

    Raises ProblemError for a name that occurs twice or is not known and, with `needs_all`, for a missing column that
    every row needs.
    """
    columns: list[str | None] = [known(name) for name in names]
    if not any(columns):
        raise ProblemError(
            f"there is no known column among {_listed(names) or 'its names'}; the columns are {', '.join(SEED_COLUMNS)}"
        )
    if not is_own(columns):
        columns = [column if column in SEED_COLUMNS else None for column in columns]
    if twice := sorted({column for column in columns if column is not None and columns.count(column) > 1}):
        raise ProblemError(f"the column {', '.join(twice)} occurs more than once; keep one of them")
    unknown = [name for name, column in zip(names, columns, strict=True) if column is None]
    if unknown and not ignore_unknown:
        raise ProblemError(
            f"the table has columns that are not imported: {_listed(unknown)}; leave them out, or skip them with "
            "--ignore-unknown"
        )
    missing = [name for name in _REQUIRED if name not in columns]
    if missing and needs_all:
        raise ProblemError(f"the table has no column {' and no column '.join(missing)}, which every row needs")
    return tuple(columns)


def row(line: int, columns: Sequence[str | None], cells: Sequence[Any], *, last: int = 0) -> Row:
    """The row of these cells, or why they make none."""
    if len(cells) != len(columns):
        return broken(line, f"has {counted(len(cells), 'cell')} where there are {len(columns)} columns", last=last)
    if any(map(_is_damaged, cells)):
        return broken(line, "has characters that are damaged: its bytes do not fit the encoding of the file", last=last)
    return Row(line, {column: cell for column, cell in zip(columns, cells, strict=True) if column is not None})


def _is_damaged(cell: Any) -> bool:
    if isinstance(cell, list):
        return any(map(_is_damaged, cell))
    return isinstance(cell, str) and _DAMAGED.search(cell) is not None


def broken(first: int, trouble: str, *, last: int = 0) -> Row:
    """A row that cannot be read: a quote too many makes one of several, which are then all missing."""
    return Row(first, None, f"{trouble}; lines {first} to {last} were read as one row" if last > first else trouble)


def counted(count: int, what: str) -> str:
    """A number of things."""
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def shortened(text: str, longest: int = 60) -> str:
    """A text that fits into a message."""
    return text if len(text) <= longest else f"{text[:longest]}…"


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(shortened(repr(name)) for name in names[:8])
    return f"{shown} and {len(names) - 8} more" if len(names) > 8 else shown
