"""Rows as JSON objects: one a line, in an array, or one after the other; of exports, row_to_json and json_agg.

psql's \\copy doubles the backslashes of the JSON that it writes, and its CSV quotes it; both are undone here.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import orjson

from cli import delimited
from cli.columns import LONGEST_ROW, Row, Unreadable, broken, is_own, known, resolved, shortened
from imagetrail.records import SEED_COLUMNS
from local.problem import ProblemError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TextIO

_RUN = re.compile(r"\\+")
_FRAME = re.compile(r"\s*(?:[A-Za-z_]\w*|-+|\(\d+ rows?\)|\\\.)?\s*")
_SEPARATED = "}, \\n {"
"""What is between the rows of json_agg in COPY's text format."""
_GAP = re.compile(r"[\s,\]+]*")
_BLOCK = 1 << 16
_MOST_BROKEN = 1000
_CSV = delimited.Dialect("csv", ",")
_STRICT = json.JSONDecoder()


def looks_like_json(beginning: str) -> bool:
    """Whether a text begins as JSON does, behind the name of a column as psql writes it."""
    lines = [line for line in re.split(r"[\r\n]+", beginning, maxsplit=4)[:4] if not _FRAME.fullmatch(line)]
    return bool(lines) and re.match(r'\s*(?:\{\s*(?:"|\}|$)|\[\s*(?:[\[{]|$)|"[\[{]\s*"")', lines[0]) is not None


class Copied:
    """Whether the backslashes of a file are doubled, as COPY's text format does it.

    JSON of COPY has runs of an even length only. A text that has no other runs either is read as what is JSON.
    """

    def __init__(self) -> None:
        self.verdict: bool | None = None
        self._is_open = False

    def see(self, line: str) -> bool:
        """Looks at a line; says whether that settles it."""
        if line.startswith('"'):
            self.verdict = False  # CSV
        elif _SEPARATED in line:
            self.verdict = True
        elif "\\" in line and (runs := _RUN.findall(line)):
            plain, undone = _is_json(line, str), _is_json(line, _undone)
            if any(len(run) % 2 for run in runs) or (plain and _is_export(line)):
                self.verdict = False
            elif plain != undone:
                self.verdict = undone
            self._is_open = self._is_open or (plain and undone)
        return self.verdict is not None

    def settled(self) -> bool:
        """The verdict on the whole file. Raises ProblemError where there is none."""
        if self.verdict is None and self._is_open:
            raise ProblemError(
                "the backslashes of this JSON can be read in two ways; give --format copied-json if \\copy wrote it, "
                "and --format json if not"
            )
        return bool(self.verdict)


def detected_copied(text: TextIO) -> bool:
    """Whether COPY wrote this JSON in its text format. Raises ProblemError where that cannot be known."""
    copied = Copied()
    while line := text.readline(LONGEST_ROW):
        if copied.see(line):
            break
    return copied.settled()


def rows(text: TextIO, *, copied: bool, ignore_unknown: bool) -> tuple[Iterator[Row], bool]:
    """The rows, and whether they are an export of imagetrail. Raises ProblemError for a first row of another kind."""
    documents = _documents(text, _undone if copied else str)
    held = list[tuple[int, Any]]()
    own = False
    for line, document in documents:
        held.append((line, document))
        if isinstance(document, dict):
            columns = resolved(list(document), ignore_unknown=ignore_unknown, needs_all=False)
            own = is_own(columns)
            break
        if len(held) == _MOST_BROKEN:
            raise ProblemError("the file holds no JSON objects with the columns of a row")
    return _rows(held, documents, own, ignore_unknown), own


def _rows(
    held: list[tuple[int, Any]], documents: Iterator[tuple[int, Any]], own: bool, ignore_unknown: bool
) -> Iterator[Row]:
    for source in (held, documents):
        for line, document in source:
            if isinstance(document, Unreadable):
                yield broken(line, str(document))
            elif isinstance(document, dict):
                yield _row(line, document, own, ignore_unknown)
            else:
                yield broken(line, "is not a JSON object")


def _row(line: int, document: dict[str, Any], own: bool, ignore_unknown: bool) -> Row:
    cells: dict[str, Any] = {}
    for name, value in document.items():
        column = _column(name, own)
        if column is None:
            if ignore_unknown:
                continue
            return broken(line, f"has a member that is not imported: {shortened(name)}")
        if column in cells:
            return broken(line, f"has the column {column} more than once")
        cells[column] = value
    return Row(line, cells)


@lru_cache(1024)
def _column(name: str, own: bool) -> str | None:
    column = known(name)
    return column if own or column in SEED_COLUMNS else None


def _documents(text: TextIO, undo: Callable[[str], str]) -> Iterator[tuple[int, Any]]:
    """Each value and the line on which it begins; an Unreadable in place of one that is not JSON."""
    number = 0
    while line := text.readline(LONGEST_ROW):
        number += 1
        if _FRAME.fullmatch(line):
            continue
        if line.startswith('"['):
            raise ProblemError("this is json_agg as CSV; write it without CSV, or use row_to_json")
        if line.lstrip().startswith("["):
            yield from _array(text, number, line, undo)
            return
        if number <= 4 and line.strip().startswith("{") and not line.rstrip().endswith("}") and line.endswith("\n"):
            yield from _array(text, number, line, undo)  # of several lines each
            return
        if len(line) == LONGEST_ROW and not line.endswith(("\n", "\r")):
            yield number, Unreadable(f"is longer than {LONGEST_ROW:,} characters")
            while line and not line.endswith(("\n", "\r")):
                line = text.readline(LONGEST_ROW)
            continue
        yield number, _value(line, undo)


def _value(line: str, undo: Callable[[str], str]) -> Any:
    try:
        if line.startswith('"'):
            (cell,) = _CSV.cells(line.rstrip("\r\n")) or [""]
            line = cell or ""
        return _unwrapped(parsed(undo(line)))
    except Unreadable as error:
        return error
    except ValueError:
        return Unreadable("is not JSON")


def _array(text: TextIO, number: int, begun: str, undo: Callable[[str], str]) -> Iterator[tuple[int, Any]]:
    """The objects of an array, or objects of several lines."""
    buffer, at, step = "", 0, _BLOCK
    is_array = begun.lstrip().startswith("[")
    is_closed = False
    block, is_last = begun.lstrip().removeprefix("["), False
    while True:
        try:
            buffer, at = buffer[at:] + undo(block), 0
        except Unreadable as error:
            yield number, error
            return
        for value, start, end in _values(buffer, is_last=is_last):
            number += buffer.count("\n", at, start)
            is_closed = is_closed or "]" in buffer[at:start]
            yield number, value
            number, at, step = number + buffer.count("\n", start, end), end, _BLOCK
        if is_last and _FRAME.fullmatch(buffer, _gap(buffer, at)):
            if is_array and not is_closed and "]" not in buffer[at:]:
                yield number, Unreadable("the array is not closed: the file was cut off, and rows may be missing")
            return
        if is_last or len(buffer) - at > LONGEST_ROW:
            yield number, Unreadable("is not JSON, or too long; what comes after it was not read")
            return
        block = text.read(step)
        while block.endswith("\\") and (more := text.read(1)):
            block += more
        is_last, step = not block, min(step * 2, LONGEST_ROW)


def _values(buffer: str, *, is_last: bool) -> Iterator[tuple[Any, int, int]]:
    """The whole values of a buffer with their places."""
    end = 0
    while (start := _gap(buffer, end)) < len(buffer):
        try:
            value, end = _STRICT.raw_decode(buffer, start)
            if end == len(buffer) and not is_last and not isinstance(value, dict):
                return  # a number may go on
            value = _unwrapped(parsed(buffer[start:end]))
        except Unreadable as error:
            value = error
        except (ValueError, RecursionError):
            return
        yield value, start, end


def _gap(buffer: str, at: int) -> int:
    found = _GAP.match(buffer, at)
    return found.end() if found else at


def parsed(text: str) -> Any:
    """A JSON value whose objects name nothing twice. Raises Unreadable, and ValueError for what is not JSON."""
    value = orjson.loads(text)
    try:
        json.loads(text, object_pairs_hook=_once)
    except RecursionError:
        raise Unreadable("is nested too deep") from None
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise Unreadable(f"has the column {shortened(twice)} more than once")
    return found


def _unwrapped(value: Any) -> Any:
    """The row within {"row_to_json": {…}}."""
    if isinstance(value, dict) and len(value) == 1:
        (inner,) = value.values()
        return inner if isinstance(inner, dict) else value
    return value


def _undone(text: str) -> str:
    return delimited.unescaped(text) if "\\" in text else text


def _is_export(line: str) -> bool:
    document = orjson.loads(line)
    return isinstance(document, dict) and is_own(document)


def _is_json(line: str, undo: Callable[[str], str]) -> bool:
    try:
        orjson.loads(undo(line))
    except ValueError:
        return False
    return True
