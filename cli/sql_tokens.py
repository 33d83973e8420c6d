"""Tokens of SQL as pg_dump writes it, read from a text in constant memory.

Source: "Lexical Structure" in PostgreSQL's documentation. Strings are taken as standard_conforming_strings has them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from cli.columns import LONGEST_ROW
from local.problem import ProblemError

if TYPE_CHECKING:
    from typing import TextIO

_BLOCK = 1 << 16
_TOKEN = re.compile(
    r"""(?P<space>\s+|--[^\r\n]*|/\*.*?\*/)
    |(?P<meta>\\[^\r\n]*)
    |(?P<escaped>[Ee]'[^'\\]*(?:(?:\\.|'')[^'\\]*)*')
    |(?P<text>'[^']*(?:''[^']*)*')
    |\$(?P<tag>(?:[^\W\d]\w*)?)\$(?P<dollar>.*?)\$(?P=tag)\$
    |(?P<name>"[^"]*(?:""[^"]*)*")
    |(?P<number>-?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)
    |(?P<word>[^\W\d][\w$]*)
    |(?P<sign>::|.)""",
    re.DOTALL | re.VERBOSE,
)
_STRINGS = frozenset({"escaped", "text", "dollar"})
_OPENED = re.compile(r"['\"]|/\*|\$(?:[^\W\d]\w*)?\$")
_ESCAPE = re.compile(r"\\(?:([0-7]{1,3})|x([0-9A-Fa-f]{1,2})|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|(.))|''", re.DOTALL)
_NAMED = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_BREAK = re.compile(r"\r\n?|\n")


class Token(NamedTuple):
    """A word, a sign or a constant, and the line on which it begins; a constant's text is its value."""

    kind: str
    text: str
    line: int


class Source:
    """Tokens and lines of a text, in constant memory."""

    def __init__(self, text: TextIO) -> None:
        self._text, self._buffer, self._at, self._is_last, self._line = text, "", 0, False, 1

    def _fill(self) -> None:
        block = self._text.read(max(_BLOCK, len(self._buffer) - self._at))
        self._buffer, self._at, self._is_last = self._buffer[self._at :] + block, 0, not block

    def token(self) -> Token | None:
        """The next token. Raises ProblemError for one that has no end."""
        while True:
            found = _TOKEN.match(self._buffer, self._at)
            if not self._is_last and (found is None or len(self._buffer) - found.end() < 3 or self._is_cut(found)):
                if len(self._buffer) - self._at > 2 * LONGEST_ROW:
                    raise ProblemError(f"a value on line {self._line} of the dump has no end, or is too long")
                self._fill()
                continue
            if found is None:
                return None
            if self._is_last and self._is_cut(found):
                raise ProblemError(f"the dump is cut off: a value on line {self._line} has no end")
            kind, line, text = str(found.lastgroup), self._line, found[0]
            self._at = found.end()
            if kind not in ("word", "number", "sign"):
                self._line += _breaks(text)
            if kind not in ("space", "meta"):
                return Token("text" if kind in _STRINGS else kind, _value(kind, found), line)

    def _is_cut(self, found: re.Match[str]) -> bool:
        """Whether a sign is the beginning of a constant or a comment that does not end in the buffer."""
        if found.lastgroup == "word":
            return found[0] in ("E", "e") and self._buffer.startswith("'", found.end())
        return found.lastgroup == "sign" and _OPENED.match(self._buffer, found.start()) is not None

    def readline(self, size: int = -1) -> str:
        """The rest of the line, as far as `size` allows."""
        while True:
            found = _BREAK.search(self._buffer, self._at)
            end = found.end() if found else len(self._buffer)
            if (found and (end < len(self._buffer) or self._is_last)) or self._is_last or end - self._at >= size > 0:
                break
            self._fill()
        end = min(end, self._at + size) if size > 0 else end
        line = self._buffer[self._at : end]
        self._at, self._line = end, self._line + _breaks(line)
        return line

    @property
    def line(self) -> int:
        """The number of the line that is read next."""
        return self._line


def _value(kind: str, found: re.Match[str]) -> str:
    match kind:
        case "escaped":
            return _ESCAPE.sub(_escaped, found[0][2:-1])
        case "text":
            return found[0][1:-1].replace("''", "'")
        case "dollar":
            return found["dollar"]
        case "name":
            return found[0][1:-1].replace('""', '"')
    return found[0]


def _escaped(found: re.Match[str]) -> str:
    if found[0] == "''":
        return "'"
    octal, hexadecimal, short, long, character = found.groups()
    if character is not None:
        return _NAMED.get(character, character)
    number = int(octal, 8) if octal is not None else int(hexadecimal or short or long, 16)
    is_byte = short is None and long is None
    return "\udfff" if number > (0x7F if is_byte else 0x10FFFF) else chr(number)  # a half of a character is damage


def _breaks(text: str) -> int:
    return len(_BREAK.findall(text)) if "\n" in text or "\r" in text else 0
