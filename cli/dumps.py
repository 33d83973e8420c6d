"""Rows of pg_dump in plain text: COPY sections and INSERT statements, read statement by statement."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from cli import delimited
from cli.columns import LONGEST_ROW, Unreadable, broken, resolved, row, shortened
from cli.sql_tokens import Source, Token
from imagetrail.records import SEED_COLUMNS
from local.problem import ProblemError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TextIO

    from cli.columns import Row

TABLE = "generated_images"
_TEXT = delimited.Dialect("text", "\t")
_CONSTRAINTS = frozenset({"constraint", "primary", "unique", "foreign", "check", "exclude", "like"})
_TYPES = frozenset({"uuid", "text", "json", "jsonb", "timestamptz", "timestamp", "varchar", "character", "date"})
_OPEN, _CLOSE, _OF_TYPES = frozenset("(["), frozenset(")]"), frozenset({"::", "[", "]", "(", ")", ",", "."})
_BEGINNING = re.compile(
    r"\s*(?:--|/\*|\\restrict|\\connect|(?:SET|BEGIN|COPY|INSERT\s+INTO|CREATE|ALTER|DROP|TRUNCATE|DELETE\s+FROM|SELECT|"
    r"START\s+TRANSACTION|LOCK)\b[^,;\t|]*(?:[\r\n;('\"]|$))",
    re.IGNORECASE,
)


def looks_like_dump(beginning: str) -> bool:
    """Whether a text begins as a dump or a script in SQL does."""
    return _BEGINNING.match(beginning) is not None


def rows(text: TextIO, *, ignore_unknown: bool) -> Iterator[Row]:
    """The rows of generated_images. Raises ProblemError where there is no data of it."""
    source = Source(text)
    has_data, defined = False, list(SEED_COLUMNS)
    while (first := source.token()) is not None:
        match first.text.lower() if first.kind == "word" else first.text:
            case "copy":
                name, names = _target(head := list(_until(source, ";")))
                if not any(_is(token, "stdin") for token in head):
                    continue
                source.readline()
                lines = _TEXT.lines(_to_its_end(source), source.line - 1)
                if name != TABLE:
                    for _ in lines:
                        pass
                    continue
                if not _is(head[-2], "stdin"):
                    raise ProblemError(f"the COPY of {TABLE} has options; dump it with pg_dump, which uses none")
                has_data, columns = True, resolved(names or defined, ignore_unknown=ignore_unknown)
                yield from delimited.rows(lines, _TEXT, columns, own=False)
            case "insert":
                name, names = _target((head := list(_until(source, "values", "select", "default", ";")))[1:])
                if name == TABLE and _is(head[-1], "values"):
                    has_data, columns = True, resolved(names or defined, ignore_unknown=ignore_unknown)
                    yield from _inserted(source, columns)
            case "create":
                head = list(_until(source, ";"))
                if (at := next((at for at, token in enumerate(head[:4]) if _is(token, "table")), None)) is not None:
                    words = [token for token in head[at + 1 :] if not _is(token, "if", "not", "exists")]
                    name, names = _target(words)
                    defined = names if name == TABLE else defined
            case "set":
                words = [token for token in _until(source, ";") if token.text.lower() != "to"]
                if _is(words[0], "standard_conforming_strings") and words[-2].text.lower() == "off":
                    raise ProblemError("the dump sets standard_conforming_strings off; dump it with the setting on")
            case text_ if text_ != ";":
                for _ in _until(source, ";"):
                    pass
    if not has_data:
        raise ProblemError(f"the dump has no data of the table {TABLE}")


def _to_its_end(source: Source) -> Callable[[int], str]:
    """Reads the lines of a COPY section, which ends with a mark of its own."""

    def readline(size: int) -> str:
        line = source.readline(size)
        if len(line) < size and not line.endswith(("\n", "\r")) and line != "\\.":
            raise ProblemError(f"the dump is cut off: the data of a COPY section ends on line {source.line}")
        return line

    return readline


def _until(source: Source, *ends: str) -> Iterator[Token]:
    """The tokens to the first of these outside parentheses, which is the last one."""
    depth = 0
    while (token := source.token()) is not None:
        depth += (token.text in _OPEN) - (token.text in _CLOSE) if token.kind == "sign" else 0
        yield token
        if depth <= 0 and token.kind in ("word", "sign") and token.text.lower() in ends:
            return
    raise ProblemError("the dump is cut off: its last statement has no end")


def _target(head: list[Token]) -> tuple[str | None, list[str]]:
    """The table that a statement names, by its last name, and the columns between the parentheses behind it."""
    at, name = 0, None
    while at < len(head) and (head[at].kind in ("word", "name") or head[at].text == "."):
        if head[at].text != "." and not _is(head[at], "only") and (at == 0 or head[at - 1].text in (".", "only")):
            name = head[at].text
        at += 1
    is_known = name is not None and name.replace("_", "").lower() == TABLE.replace("_", "")
    names, depth = [], 0
    if at < len(head) and head[at].text == "(":
        for before, token in pairwise(head[at:]):
            depth += (before.text in _OPEN) - (before.text in _CLOSE) if before.kind == "sign" else 0
            if depth == 0:
                break
            starts = depth == 1 and before.kind == "sign" and before.text in ("(", ",")
            if starts and token.kind in ("word", "name") and not _is(token, *_CONSTRAINTS):
                names.append(token.text)
    return TABLE if is_known else name, names


def _inserted(source: Source, columns: tuple[str | None, ...]) -> Iterator[Row]:
    """The rows of a VALUES list, as far as its statement's end."""
    for token in _until_sign(source):
        line, values, value, depth, size = token.line, list[list[Token]](), list[Token](), 1, 0
        while depth:
            if (part := source.token()) is None:
                raise ProblemError("the dump is cut off: its last statement has no end")
            size += len(part.text)
            depth += (part.text in _OPEN) - (part.text in _CLOSE) if part.kind == "sign" else 0
            if size > LONGEST_ROW:
                values.clear()
                value.clear()
            elif not depth or (depth == 1 and part.kind == "sign" and part.text == ","):
                values.append(value)
                value = []
            else:
                value.append(part)
        if size > LONGEST_ROW:
            yield broken(line, f"is longer than {LONGEST_ROW:,} characters")
            continue
        try:
            cells = [_constant(value) for value in values]
        except Unreadable as error:
            yield broken(line, str(error))
            continue
        yield row(line, columns, cells)


def _until_sign(source: Source) -> Iterator[Token]:
    """The opening parenthesis of each row of a VALUES list."""
    while (token := source.token()) is not None and token.text == "(" and token.kind == "sign":
        yield token
        token = source.token()
        if token is None or token.kind != "sign" or token.text != ",":
            break
    while token is not None and not (token.kind == "sign" and token.text == ";"):
        token = source.token()


def _constant(tokens: list[Token]) -> Any:
    """What an expression is that pg_dump and people write for a value, with its cast left out. Raises Unreadable."""
    cast = next((at for at, token in enumerate(tokens) if token.text == "::" and token.kind == "sign"), len(tokens))
    given, tail = tokens[:cast], tokens[cast:]
    if all(token.kind != "sign" or token.text in _OF_TYPES for token in tail):
        match [token.kind for token in given], [token.text.lower() for token in given]:
            case ["text" | "number"], _:
                return given[0].text
            case ["word"], ["null"]:
                return None
            case ["word"], ["true" | "false"]:
                return given[0].text.lower()
            case [*types, "text"], [first, *_] if set(types) == {"word"} and first in _TYPES:
                return given[-1].text
            case _, ["array", "[", *_, "]"]:
                inner = given[2:-1]
                commas = [-1, *(at for at, token in enumerate(inner) if token.text == "," and token.kind == "sign")]
                ends = [*commas[1:], len(inner)]
                return [_constant(inner[a + 1 : b]) for a, b in zip(commas, ends, strict=True)] if inner else []
    raise Unreadable(f"has an expression that is not a constant: {shortened(' '.join(t.text for t in tokens))}")


def _is(token: Token, *words: str) -> bool:
    return token.kind == "word" and token.text.lower() in words
