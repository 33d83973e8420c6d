"""Files with a table of images, whoever wrote them: read row by row, in constant memory.

Known are PostgreSQL's COPY in its CSV and text formats (\\copy of psql, a COPY section of pg_dump), CSV of Supabase,
and our own exports. Source: the reference page of COPY in PostgreSQL's documentation, "File Formats".
"""

from __future__ import annotations

import re
import zipfile
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, NamedTuple

import orjson

from imagetrail import spreadsheet
from imagetrail.exporting import NAME
from imagetrail.records import COLUMNS, SEED_COLUMNS
from local.problem import ProblemError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

LARGEST_PICTURE = 100_000_000
LONGEST_ROW = 4_000_000
"""Bytes: ten times what an item of the tables may have."""
_ZIP = b"PK\x03\x04"
_CELL = re.compile(r'"((?:[^"]|"")*)"|([^",]*)', re.DOTALL)
_SECTION = re.compile(rb'COPY (?:"?\w+"?\.)?"?generated_images"? \((.*)\) FROM stdin;\s*')
_ANY_SECTION = re.compile(rb"COPY .* FROM stdin;\s*")
_ESCAPE = re.compile(rb"\\(?:([0-7]{1,3})|x([0-9A-Fa-f]{1,2})|(.))", re.DOTALL)
_NAMED = {b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v"}


class Unreadable(ValueError):
    """A row that cannot be taken apart; the message says why."""


class Row(NamedTuple):
    """Where a row begins, and its cells by column, None where it is null; or why it cannot be read."""

    line: int
    cells: dict[str, Any] | None
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """The rows of a file. `is_own` says that it is an export of ours; `picture` reads what lies beside them by its key;
    `done` is how much of the file was read, a share of 1."""

    rows: Iterator[Row]
    is_own: bool
    done: Callable[[], float]
    picture: Callable[[str], bytes | None]


@contextmanager
def opened(path: Path, columns: tuple[str, ...] | None = None) -> Iterator[Table]:
    """The table in a file; `columns` are those of a file without a header. Raises ProblemError."""
    try:
        with path.open("rb") as file:
            if file.read(len(_ZIP)) == _ZIP:
                with zipfile.ZipFile(file) as archive:
                    yield _archived(archive)
            else:
                size = max(path.stat().st_size, 1)
                file.seek(0)
                rows, is_own = _told_apart(file, columns)
                yield Table(rows, is_own, lambda: min(file.tell() / size, 1.0), lambda _: None)
    except OSError as error:
        raise ProblemError(f"{path} cannot be read: {error.strerror}") from None
    except (zipfile.BadZipFile, EOFError):
        raise ProblemError(f"{path} is damaged or incomplete") from None


def _archived(archive: zipfile.ZipFile) -> Table:
    names = set(archive.namelist())
    if f"{NAME}.csv" not in names:
        raise ProblemError(f"the archive has no {NAME}.csv; give an archive that was exported here")
    size = max(archive.getinfo(f"{NAME}.csv").file_size, 1)
    table = archive.open(f"{NAME}.csv")
    rows, is_own = _told_apart(table, None)
    return Table(
        rows,
        is_own,
        lambda: min(table.tell() / size, 1.0),
        lambda key: _picture(archive, key) if key in names else None,
    )


def _picture(archive: zipfile.ZipFile, key: str) -> bytes:
    if archive.getinfo(key).file_size > LARGEST_PICTURE:
        raise ProblemError(f"{key} in the archive has more than {LARGEST_PICTURE} bytes")
    return archive.read(key)


def _told_apart(file: IO[bytes], columns: tuple[str, ...] | None) -> tuple[Iterator[Row], bool]:
    """Whose format it is, told by its beginning."""
    beginning = file.read(8192)
    skipped = len(spreadsheet.BOM) if beginning.startswith(spreadsheet.BOM) else 0
    file.seek(skipped)
    beginning = beginning[skipped:]
    if not beginning.strip():
        raise ProblemError("the file is empty: not even a header is in it")
    if beginning.startswith(b"PGDMP"):
        raise ProblemError("this is pg_dump's custom format; make text of it first: pg_restore -f dump.sql FILE")
    if beginning.startswith(b"\x1f\x8b"):
        raise ProblemError("the file is compressed; unpack it first: gunzip FILE")
    if beginning.lstrip().startswith(b"{"):
        return _json_lines(file), True
    if beginning.startswith((b"--", b"SET ", b"COPY ", b"\\restrict")):
        return _dumped(file), False
    first = beginning.partition(b"\n")[0].rstrip(b"\r")
    if b"\t" in first and b'"' not in first:
        names = _names(first.decode(errors="replace").split("\t"))
        return _text(_lines(file), names or columns or SEED_COLUMNS, skip=bool(names)), False
    try:
        names = _names([name or "" for name in _cells(first.decode(errors="replace"))])
    except Unreadable:
        names = None
    is_own = names == COLUMNS
    return _csv(file, names or columns or SEED_COLUMNS, skip=bool(names), is_own=is_own), is_own


def _names(cells: list[str]) -> tuple[str, ...] | None:
    """The columns that a header names; None if it is no header."""
    names = [name.strip() for name in cells]
    return tuple(names) if {"id", "prompt"} <= set(names) else None


def _lines(file: IO[bytes]) -> Iterator[tuple[int, bytes]]:
    yield from enumerate(file, 1)


def _csv(file: IO[bytes], columns: tuple[str, ...], *, skip: bool, is_own: bool) -> Iterator[Row]:
    started, held, quotes = 0, b"", 0
    for number, line in _lines(file):
        started, held, quotes = started or number, held + line, quotes + line.count(b'"')
        if quotes % 2:
            if len(held) > LONGEST_ROW:
                yield _broken(started, number, "has a quote that is not closed: what comes after it was not read")
                return
            continue
        raw, first = held.removesuffix(b"\n").removesuffix(b"\r"), started
        started, held, quotes = 0, b"", 0
        if (skip and first == 1) or raw in (b"", b"\\."):
            continue
        yield _row(first, columns, raw, _own if is_own else _elsewhere, last=number)
    if held:
        yield _broken(started, number, "has a quote that is not closed")


def _elsewhere(raw: bytes) -> list[str | None]:
    return _cells(_decoded(raw))


def _own(raw: bytes) -> list[str | None]:
    return [None if cell is None else spreadsheet.meant(cell) for cell in _cells(_decoded(raw))]


def _cells(text: str) -> list[str | None]:
    """The cells of a row of CSV: an empty one is null, a quoted one never."""
    cells: list[str | None] = []
    at = 0
    while (found := _CELL.match(text, at)) is not None:
        quoted, bare = found.groups()
        cells.append(quoted.replace('""', '"') if quoted is not None else bare or None)
        at = found.end()
        if at == len(text):
            return cells
        if text[at] != ",":
            raise Unreadable("has a quote in the middle of a cell")
        at += 1
    return cells


def _text(lines: Iterator[tuple[int, bytes]], columns: tuple[str, ...], *, skip: bool) -> Iterator[Row]:
    for number, line in lines:
        raw = line.rstrip(b"\r\n")
        if raw == b"\\.":
            return
        if not (skip and number == 1):
            yield _row(number, columns, raw, _copied)


def _copied(raw: bytes) -> list[str | None]:
    return [_unescaped(cell) for cell in raw.split(b"\t")]


def _unescaped(cell: bytes) -> str | None:
    return None if cell == rb"\N" else _decoded(_ESCAPE.sub(_escaped, cell))


def _escaped(found: re.Match[bytes]) -> bytes:
    octal, hexadecimal, character = found.groups()
    if character is not None:
        return _NAMED.get(character, character)
    return bytes([int(octal, 8) & 255 if octal is not None else int(hexadecimal, 16)])


def _dumped(file: IO[bytes]) -> Iterator[Row]:
    lines = _lines(file)
    found = False
    for _, line in lines:
        if section := _SECTION.fullmatch(line):
            found = True
            names = tuple(name.strip().strip('"') for name in section[1].decode().split(","))
            yield from _text(lines, names, skip=False)
        elif _ANY_SECTION.fullmatch(line):
            for _, data in lines:
                if data.rstrip(b"\r\n") == b"\\.":
                    break
    if not found:
        raise ProblemError("the dump has no COPY section of generated_images; dump it without --inserts")


def _json_lines(file: IO[bytes]) -> Iterator[Row]:
    for number, line in _lines(file):
        if not line.strip():
            continue
        try:
            document = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            yield Row(number, None, f"is not JSON: {error}")
            continue
        if isinstance(document, dict):
            yield Row(number, document)
        else:
            yield Row(number, None, "is no JSON object")


def _row(
    line: int, columns: tuple[str, ...], raw: bytes, split: Callable[[bytes], list[str | None]], last: int = 0
) -> Row:
    try:
        cells = split(raw)
    except Unreadable as error:
        return _broken(line, last, str(error))
    if len(cells) != len(columns):
        return _broken(line, last, f"has {len(cells)} cells where there are {len(columns)} columns")
    return Row(line, dict(zip(columns, cells, strict=True)))


def _broken(first: int, last: int, trouble: str) -> Row:
    """A row that cannot be read: a quote too many makes one of several, which are then all missing."""
    return Row(first, None, f"{trouble}; lines {first} to {last} were read as one row" if last > first else trouble)


def _decoded(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise Unreadable("is not UTF-8; export it with the encoding UTF8") from None
