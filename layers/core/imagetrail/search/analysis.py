"""What counts as a word, in any script: the one reading of text that index, queries and snippets share.

A word is folded (case, accents, compatibility forms), and English words have a stem. Scripts that write no spaces are
read as overlapping pairs of characters, an emoji with its joiners is one word. Characters that Unicode calls default
ignorable (soft hyphen, zero-width space, byte order mark, …) are skipped: they neither split a word nor belong to it.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache, lru_cache
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_LONGEST = 80  # characters of a word that count
_MEMORY = 1 << 16  # words whose folding is remembered

# One letter per kind of character, so that an expression over kinds finds the words.
_WORD, _MARK, _PAIRED, _SYMBOL, _JOINER, _VARIANT, _FLAG, _APOSTROPHE, _BREAK = "wmpsjvfa "
_EMOJI = _SYMBOL + _VARIANT + _JOINER
_PAIRED_RANGES = (
    (0x0E00, 0x0EFF),  # Thai, Lao
    (0x1000, 0x109F),  # Myanmar
    (0x1100, 0x11FF),  # Hangul
    (0x1780, 0x17FF),  # Khmer
    (0x3005, 0x3007),
    (0x3040, 0x30FA),  # Hiragana, Katakana
    (0x30FC, 0x30FF),
    (0x3130, 0x318F),
    (0x31F0, 0x31FF),
    (0x3400, 0x4DBF),  # Han
    (0x4E00, 0x9FFF),
    (0xAC00, 0xD7AF),
    (0xF900, 0xFAFF),
    (0xFF66, 0xFF9F),
    (0x20000, 0x3FFFF),
)
# Default_Ignorable_Code_Point of Unicode's DerivedCoreProperties.txt.
_IGNORABLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
_EMOJI_GLUE = re.compile("[\u200d\ufe00-\ufe0f]")
_RUNS = re.compile("(?P<word>w[wm]*(?:a[wm]+)*)|(?P<pairs>p[pm]*)|(?P<symbol>s[vm]*(?:js[vm]*)*|ff?)")
_ACCENTS = re.compile(
    "[\u0300-\u036f\u0483-\u0487\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06ed\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]"
)
_ALIKE = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "æ": "ae", "œ": "oe", "ı": "i", "þ": "th"}
    | {"ى": "ي", "ی": "ي", "ک": "ك", "ة": "ه", "ـ": None}
)
_POSSESSIVE = re.compile("['’]s?$")
_VARIANTS = re.compile("[\ufe00-\ufe0f\U0001f3fb-\U0001f3ff]")
_STEMMED = re.compile("[a-z]{3,}")


class Word(NamedTuple):
    """A folded word, its stem, and where in the text it stands."""

    text: str
    stem: str
    start: int
    end: int


class Analysed(NamedTuple):
    """What is indexed of a text: its words in order, and the stems by which single words are found."""

    words: list[str]
    stems: list[str]


def words(text: str) -> Iterator[Word]:
    """The words of a text in order; of a run without spaces every pair of neighbours, or its only character."""
    kept = _kept(text)
    if kept is None:
        yield from _words(text)
        return
    for word in _words("".join(text[at] for at in kept)):
        yield word._replace(start=kept[word.start], end=kept[word.end - 1] + 1)


def visible(text: str) -> str:
    """The text without ignorable characters."""
    kept = _kept(text)
    return text if kept is None else "".join(text[at] for at in kept)


def _kept(text: str) -> Sequence[int] | None:
    """The positions of a text's characters that are not ignorable, None for all of them. What joins an emoji counts."""
    if text.isascii() or not _IGNORABLE.search(text):
        return None
    kept: list[int] = []
    for at, character in enumerate(text):
        joins = _EMOJI_GLUE.match(character) and kept and text[kept[-1]].translate(_KINDS) in _EMOJI
        if joins or not _IGNORABLE.match(character):
            kept.append(at)
    return kept


def _words(text: str) -> Iterator[Word]:
    for run in _RUNS.finditer(text.translate(_KINDS)):
        start, end = run.span()
        match run.lastgroup:
            case "word":
                yield from _spelled(text, start, end)
            case "pairs":
                yield from _pairs(text, start, end)
            case _:
                symbol = _VARIANTS.sub("", text[start:end])
                yield Word(symbol, symbol, start, end)


def analyse(text: str) -> Analysed:
    """The text as it is indexed. A character of a run without spaces is found alone, too."""
    text = visible(text)
    found = list(_words(text))
    stems = [word.stem for word in found]
    for run in _RUNS.finditer(text.translate(_KINDS)):
        if run.lastgroup == "pairs" and run.end() - run.start() > 1:
            stems += list(_fold(text[run.start() : run.end()]))
    return Analysed([word.text for word in found], stems)


def _spelled(text: str, start: int, end: int) -> Iterator[Word]:
    """A word, or the parts of one that an apostrophe joins, such as l'eau; a possessive is left out."""
    piece = _POSSESSIVE.sub("", text[start:end])
    for part in re.split("['’]", piece):
        if folded := _fold(part[:_LONGEST]):
            yield Word(folded, _stem(folded), start, start + len(part))
        start += len(part) + 1


def _pairs(text: str, start: int, end: int) -> Iterator[Word]:
    run = _fold(text[start:end])
    aligned = len(run) == end - start
    if len(run) == 1:
        yield Word(run, run, start, end)
    for number in range(len(run) - 1):
        pair = run[number : number + 2]
        yield Word(pair, pair, *((start + number, start + number + 2) if aligned else (start, end)))


@lru_cache(_MEMORY)
def _fold(text: str) -> str:
    if text.isascii():
        return text.lower()
    bare = _ACCENTS.sub("", unicodedata.normalize("NFKD", text))
    return "".join(unicodedata.normalize("NFKC", bare.casefold().translate(_ALIKE)).split())


@lru_cache(_MEMORY)
def _stem(word: str) -> str:
    if not _STEMMED.fullmatch(word):
        return word
    return _english()(word)[0]


@cache
def _english() -> Callable[[str], list[str]]:
    from tantivy import Filter, TextAnalyzerBuilder, Tokenizer

    return TextAnalyzerBuilder(Tokenizer.raw()).filter(Filter.stemmer("english")).build().analyze


class _Kinds(dict[int, str]):
    """The kind of each character, found out when it is first met."""

    def __missing__(self, code: int) -> str:
        kind = self[code] = _kind(code)
        return kind


def _kind(code: int) -> str:
    character = chr(code)
    if character in "'’":
        return _APOSTROPHE
    if code == 0x200D:
        return _JOINER
    if 0xFE00 <= code <= 0xFE0F or 0x1F3FB <= code <= 0x1F3FF:
        return _VARIANT
    if 0x1F1E6 <= code <= 0x1F1FF:
        return _FLAG
    category = unicodedata.category(character)
    if category.startswith("M"):
        return _MARK
    if category[0] in "LN" and any(low <= code <= high for low, high in _PAIRED_RANGES):
        return _PAIRED
    return {"L": _WORD, "N": _WORD}.get(category[0]) or (_SYMBOL if category == "So" else _BREAK)


_KINDS = _Kinds()
