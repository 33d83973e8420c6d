"""Recognizes how a table is written, by what its first rows say.

A dump and JSON are recognized by how they begin. Anything else is delimited, and every dialect in question reads the
same rows: CSV and PostgreSQL's text format with each delimiter, and the output of psql -A. The right dialect is the one
that yields rows of this table. In this order, it has

1. the most rows with as many cells as there are columns, a UUID for an id, a time for a time, and a list for a list,
2. no null that another dialect writes: \\N is one of the text format, an empty cell one of the others; and no doubled
   quotes, which only CSV writes,
3. a header with the most known columns, and the most rows of the right length.

Where two dialects are equal in all of that and read different rows, more of the file is looked at. If it leaves a
choice, the file is refused and --format has to say what it is: a guess would be stored without any error.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from io import StringIO
from typing import TYPE_CHECKING, NamedTuple

from cli.columns import Unreadable, counted, known, resolved, shortened
from cli.delimited import Dialect
from cli.values import NULLS, is_null, is_typed, looks_like
from imagetrail.records import SEED_COLUMNS
from local.problem import ProblemError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from io import TextIOWrapper

    from cli.delimited import Style

_DELIMITERS = (",", ";", "\t", "|")
_FIRST_SAMPLE, _LARGEST_SAMPLE = 1 << 18, 1 << 23
_FIRST_ROWS = 500
_TITLES = 20
"""Rows in which a header is looked for that comes too late."""
_UUID = re.compile(r"\{?[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}\}?")
_DOUBLED = re.compile(r'"[^"]*(?:""[^"]*)+"')
_ESCAPED = re.compile(r"(?:^|[,;|])\\N(?=[,;|\r\n]|$)|\\[,;|]", re.MULTILINE)
_FOOTER = re.compile(r"^\(\d+ rows?\)\s*\Z", re.MULTILINE)
_SEP = re.compile(r'"?sep=(\\t|[^\r\n"])"?(?:\r\n?|\n)', re.IGNORECASE)
_ALIGNED = re.compile(
    r"(?:[^\r\n|]*\|[^\r\n]*(?:\r\n?|\n))?\s*(?:\+?-+(?:\+-+)+\+?\s*$|[-*]\[ RECORD 1 \])", re.MULTILINE
)


@dataclass(frozen=True, slots=True)
class Choice:
    """What is known of a delimited table before it is read: None where it is to be recognized."""

    style: Style | None = None
    delimiter: str | None = None
    columns: tuple[str, ...] | None = None
    ignore_unknown: bool = False


class Layout(NamedTuple):
    """How a table is written, and its columns; `has_sep` says that a spreadsheet's "sep=;" is its first line."""

    dialect: Dialect
    columns: tuple[str | None, ...]
    has_header: bool
    has_sep: bool


class _Reading(NamedTuple):
    """A sample in one dialect."""

    dialect: Dialect
    header: list[str] | None
    columns: tuple[str | None, ...]
    rows: list[list[str | None] | None]
    score: tuple[int, bool, int, int]


def recognized(text: TextIOWrapper, choice: Choice) -> Layout:
    """The layout of a delimited table. Raises ProblemError for a text that is none, or more than one."""
    size, candidates = _FIRST_SAMPLE, list[Dialect]()
    while True:
        text.seek(0)
        sample = text.read(size)
        is_whole = len(sample) < size
        if not candidates and _ALIGNED.match(sample):
            raise ProblemError("this is aligned output of psql; export it with \\copy … CSV HEADER, or use psql -A")
        sep = _SEP.match(sample)
        if not candidates:
            candidates = _candidates(sample, choice, sep[1].replace("\\t", "\t") if sep else None)
        body = sample[sep.end() :] if sep else sample
        limit = _FIRST_ROWS if size == _FIRST_SAMPLE and not is_whole else None
        readings = [_read(body, dialect, choice, is_whole=is_whole, limit=limit) for dialect in candidates]
        best = max(reading.score for reading in readings)
        readings = [reading for reading in readings if reading.score == best]
        first = readings[0]
        if (len(readings) > 1 or not best[0]) and not is_whole and size < _LARGEST_SAMPLE:
            size, candidates = size * 8, [reading.dialect for reading in readings]
            continue
        if best[0] and any(_meant(other) != _meant(first) for other in readings[1:]):
            raise _ambiguous(readings)
        return _settled(first, choice, has_sep=sep is not None)


def _candidates(sample: str, choice: Choice, sep: str | None) -> list[Dialect]:
    if choice.style is None and sep is not None:
        return [Dialect("csv", choice.delimiter or sep)]
    delimiters = _DELIMITERS if choice.delimiter is None else (choice.delimiter,)
    if choice.style is not None:
        default = {"text": "\t", "unaligned": "|"}.get(choice.style)
        of_style = delimiters if choice.delimiter or default is None else (default,)
        return [Dialect(choice.style, delimiter) for delimiter in of_style]
    if _FOOTER.search(sample):
        return [Dialect("unaligned", delimiter) for delimiter in ("|", *delimiters[:3])]
    is_escaped = _ESCAPED.search(sample) is not None
    return [
        *(Dialect("text", one) for one in delimiters if one == "\t"),
        *(Dialect("csv", delimiter) for delimiter in delimiters),
        *(Dialect("text", one) for one in delimiters if is_escaped and one != "\t"),
        *(Dialect("unaligned", delimiter) for delimiter in delimiters if delimiter in "\t|"),
    ]


def _read(sample: str, dialect: Dialect, choice: Choice, *, is_whole: bool, limit: int | None) -> _Reading:
    lines = list(_limited(dialect, sample, limit))
    if not is_whole and (limit is None or len(lines) < limit):
        lines = lines[:-1]  # it is cut off
    rows = [_cells(dialect, line) for line in lines]
    header = _header(rows[0]) if rows else None
    names = header or list(choice.columns or SEED_COLUMNS)
    columns = tuple(known(name) for name in names)
    rows = rows[1:] if header else rows
    right = [cells for cells in rows if cells is not None and len(cells) == len(columns)]
    likely = [cells for cells in right if _is_likely(columns, cells)]
    is_usual = all(_is_usual(dialect, columns, cells) for cells in likely)
    named = sum(column is not None for column in columns) if header else 0
    return _Reading(dialect, header, columns, rows, (len(likely), is_usual, named, len(right)))


def _limited(dialect: Dialect, sample: str, limit: int | None) -> Iterator[str | None]:
    for number, line in enumerate(dialect.lines(StringIO(sample, newline="").readline)):
        if number == limit:
            return
        yield None if line.trouble else line.text


def _cells(dialect: Dialect, line: str | None) -> list[str | None] | None:
    try:
        return None if line is None else dialect.cells(line)
    except Unreadable:
        return None


def _header(cells: list[str | None] | None) -> list[str] | None:
    """The names in a first row; None if it is a row of the table."""
    names = [cell or "" for cell in cells or []]
    if any(_UUID.fullmatch(name.strip()) for name in names) or not any(map(known, names)):
        return None
    return names


def _named(cells: list[str | None] | None) -> list[str]:
    """The known columns that a row names as a header."""
    return [column for name in _header(cells) or [] if (column := known(name)) is not None]


def _is_likely(columns: Sequence[str | None], cells: Sequence[str | None]) -> bool:
    return all(looks_like(column, cell) for column, cell in zip(columns, cells, strict=True) if column is not None)


def _is_usual(dialect: Dialect, columns: Sequence[str | None], cells: Sequence[str | None]) -> bool:
    """Whether the cells have nothing that another dialect writes."""
    foreign = "" if dialect.style == "text" else r"\N"
    return not any(
        (cell == foreign and is_typed(column))
        or (dialect.style != "csv" and cell is not None and _DOUBLED.fullmatch(cell))
        for column, cell in zip(columns, cells, strict=True)
    )


def _meant(reading: _Reading) -> list[list[str | None] | None]:
    """The rows with one null."""
    return [
        cells
        and [
            None if is_typed(column) and is_null(cell) else cell
            for column, cell in zip((*reading.columns, *[None] * len(cells)), cells, strict=False)
        ]
        for cells in reading.rows
    ]


def _ambiguous(readings: list[_Reading]) -> ProblemError:
    named = {"\t": "tab"}
    ways = [
        f"--format {dialect.style} --delimiter {named.get(dialect.delimiter, repr(dialect.delimiter))}"
        for dialect in (reading.dialect for reading in readings)
    ]
    return ProblemError(f"the file can be read in more than one way; choose one: {' or '.join(ways)}")


def _settled(reading: _Reading, choice: Choice, *, has_sep: bool) -> Layout:
    names = reading.header or list(choice.columns or SEED_COLUMNS)
    widths = {len(cells) for cells in reading.rows if cells is not None}
    if reading.header is None and not reading.score[0] and len(names) not in widths:
        first = next((cells for cells in reading.rows if cells), None) or []
        shown = ", ".join(shortened(repr(cell or ""), 30) for cell in first[:4])
        raise ProblemError(
            f"the file is not a table of images: its first row is not a header with a known column, and has "
            f"{counted(len(first), 'cell')} ({shown}) where a row has {len(names)}; name the columns of a file without "
            "a header with --columns"
        )
    if reading.header is None and any(len(_named(cells)) > 2 for cells in reading.rows[:_TITLES]):
        raise ProblemError("the header is not the first row; delete what is above it")
    is_guess = choice.style is None and reading.dialect.style == "text" and reading.dialect.delimiter != "\t"
    if is_guess and _has_quotes(reading):
        raise ProblemError(
            "the cells of this file are both quoted and escaped with backslashes; export it as CSV with doubled"
            " quotes, or give --format text if the quotes belong to the text"
        )
    columns = resolved(names, ignore_unknown=choice.ignore_unknown)
    return Layout(_with_nulls(reading), columns, reading.header is not None, has_sep)


def _has_quotes(reading: _Reading) -> bool:
    """Whether most of the filled cells in a column of texts are between quotes."""
    right = [cells for cells in reading.rows if cells is not None and len(cells) == len(reading.columns)]
    for at, column in enumerate(reading.columns):
        filled = [cell for cells in right if (cell := cells[at])]
        quoted = sum(len(cell) > 1 and cell[0] == cell[-1] == '"' for cell in filled)
        if column is not None and quoted * 2 > len(filled):
            return True
    return False


def _with_nulls(reading: _Reading) -> Dialect:
    """The dialect with the null that the typed columns show; a text may be the word NULL."""
    if reading.dialect.style == "text":
        return reading.dialect
    found = {
        "" if cell is None else cell
        for cells in reading.rows
        if cells is not None and len(cells) == len(reading.columns)
        for column, cell in zip(reading.columns, cells, strict=True)
        if is_typed(column) and is_null(cell)
    }
    return replace(reading.dialect, nulls=frozenset(found & NULLS) or frozenset({""}))
