"""Rows of cells between delimiters: CSV, PostgreSQL's text format, and what psql -A writes.

Source: the reference page of COPY in PostgreSQL's documentation, "File Formats".
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Literal, NamedTuple

from cli.columns import LONGEST_ROW, Unreadable, broken, row
from imagetrail import spreadsheet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cli.columns import Row

_ESCAPE = re.compile(rb"\\(?:([0-7]{1,3})|x([0-9A-Fa-f]{1,2})|(.))", re.DOTALL)
_NAMED = {b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v"}
_CLOSING = re.compile(r'[^"]*+(?:""[^"]*+)*+"', re.DOTALL)
_FOOTER = re.compile(r"\(\d+ rows?\)")
Style = Literal["csv", "text", "unaligned"]


class Line(NamedTuple):
    """The text of one row without its line end, and the lines it took; `trouble` says why it has no text."""

    first: int
    last: int
    text: str
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Dialect:
    """How rows are written. `nulls` are the bare cells that are null, in columns of text."""

    style: Style
    delimiter: str
    nulls: frozenset[str] = frozenset({""})

    def with_nulls(self, nulls: frozenset[str]) -> Dialect:
        """The dialect, with other cells for null."""
        return replace(self, nulls=nulls)

    def lines(self, readline: Callable[[int], str], after: int = 0) -> Iterator[Line]:
        """The rows from the line behind `after`, one at a time, until the end-of-data mark if there is one.

        Only CSV has rows of several lines: those whose quotes are open at the end of a line.
        """
        has_quotes = self.style == "csv"
        first, is_open, held, size = 0, False, list[str](), 0
        for number, line, is_whole in _physical(readline, after):
            first = first or number
            size += len(line)
            is_open = has_quotes and self._is_open(line, is_open)
            if size <= LONGEST_ROW:
                held.append(line)
            else:
                held.clear()
            if is_open or not is_whole:
                continue
            raw, long = "".join(held), size > LONGEST_ROW
            start, first, size = first, 0, 0
            held.clear()
            bare = raw.rstrip("\r\n")
            if long:
                yield Line(start, number, "", f"is longer than {LONGEST_ROW:,} characters")
            elif bare == "\\." and self.style == "text":
                return
            elif bare not in ("", "\\.") and not (self.style == "unaligned" and _FOOTER.fullmatch(bare)):
                yield Line(start, number, bare)
        if size:
            yield Line(first, number, "", "has a quote that is not closed")

    def _is_open(self, text: str, is_open: bool) -> bool:
        """Whether a quoted cell goes on behind this text; a quote opens one only where a cell begins."""
        at = 0
        if not is_open and text.startswith('"'):
            is_open, at = True, 1
        while True:
            if is_open:
                if (found := _CLOSING.match(text, at)) is None:
                    return True
                at = found.end()
            if (at := text.find(f'{self.delimiter}"', at)) < 0:
                return False
            is_open, at = True, at + 2

    def cells(self, text: str) -> list[str | None]:
        """The cells of a row. Raises Unreadable."""
        if self.style == "csv":
            return self._quoted(text)
        if self.style == "text":
            return [_unescaped(cell) for cell in self._between(text)]
        return [None if cell in self.nulls else cell for cell in text.split(self.delimiter)]

    def _between(self, text: str) -> list[str]:
        """The text between delimiters that no backslash precedes."""
        if f"\\{self.delimiter}" not in text:
            return text.split(self.delimiter)
        cell, cells, at = _bare_cell(self.delimiter), list[str](), 0
        while (found := cell.match(text, at)) is not None:
            cells.append(found[0])
            if found.end() == len(text):
                return cells
            at = found.end() + 1
            if text[found.end()] != self.delimiter:
                break
        raise Unreadable("ends in a backslash")

    def _quoted(self, text: str) -> list[str | None]:
        """An empty cell is null, a quoted one never."""
        cell = _cell(self.delimiter)
        cells: list[str | None] = []
        at = 0
        while (found := cell.match(text, at)) is not None:
            quoted, bare = found.groups()
            if bare and bare.lstrip().startswith('"'):
                raise Unreadable("has a blank before a quote")
            cells.append(quoted.replace('""', '"') if quoted is not None else None if bare in self.nulls else bare)
            at = found.end()
            if at == len(text):
                return cells
            if text[at] != self.delimiter:
                raise Unreadable("has a quote in the middle of a cell")
            at += 1
        return cells


def rows(lines: Iterator[Line], dialect: Dialect, columns: tuple[str | None, ...], *, own: bool) -> Iterator[Row]:
    """The rows of a table. In an export of imagetrail an apostrophe keeps formulas from running; it is taken away."""
    for line in lines:
        if line.trouble:
            yield broken(line.first, line.trouble, last=line.last)
            continue
        try:
            cells = dialect.cells(line.text)
        except Unreadable as error:
            yield broken(line.first, str(error), last=line.last)
            continue
        if own:
            cells = [None if cell is None else spreadsheet.meant(cell) for cell in cells]
        yield row(line.first, columns, cells, last=line.last)


def _physical(readline: Callable[[int], str], after: int) -> Iterator[tuple[int, str, bool]]:
    """Numbered lines in pieces that fit into memory, and whether a piece ends its line."""
    number = after + 1
    while line := readline(LONGEST_ROW):
        is_whole = line.endswith(("\n", "\r")) or len(line) < LONGEST_ROW
        yield number, line, is_whole
        number += is_whole


def _unescaped(cell: str) -> str | None:
    if "\\" not in cell:
        return cell
    return None if cell == r"\N" else unescaped(cell)


def unescaped(text: str) -> str:
    """The text that COPY escaped. Raises Unreadable."""
    try:
        return _ESCAPE.sub(_escaped, text.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        raise Unreadable("has an escaped byte that is not UTF-8") from None


def _escaped(found: re.Match[bytes]) -> bytes:
    octal, hexadecimal, character = found.groups()
    if character is not None:
        return _NAMED.get(character, character)
    return bytes([int(octal, 8) & 255 if octal is not None else int(hexadecimal, 16)])


@cache
def _cell(delimiter: str) -> re.Pattern[str]:
    return re.compile(
        rf'"([^"]*+(?:""[^"]*+)*+)"|((?:[^"{re.escape(delimiter)}][^{re.escape(delimiter)}]*+)?+)', re.DOTALL
    )


@cache
def _bare_cell(delimiter: str) -> re.Pattern[str]:
    return re.compile(rf"[^\\{re.escape(delimiter)}]*(?:\\.[^\\{re.escape(delimiter)}]*)*", re.DOTALL)
