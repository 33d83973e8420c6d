"""The terms of a prompt: what people count when they ask which words work."""

from __future__ import annotations

import re
import unicodedata

_MOST_TERMS = 100
_LONGEST = 40
_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
# Scripts that are written without spaces: a word there is not a run of letters, so pairs of characters count.
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0003ffff]+"
)
_EMPTY = frozenset(
    re.split(
        r"\s+",
        "a an and are as at be by for from has in into is it its of on or over out that the their there these this to "
        "under up was were which while with without",
    )
)


def terms(prompt: str) -> set[str]:
    """The distinct words, case and width folded, without those that carry no meaning in English; at most 100."""
    found: dict[str, None] = {}
    for word in _WORD.findall(unicodedata.normalize("NFKC", prompt).casefold()):
        for part in _parts(word):
            if part not in _EMPTY:
                found[part] = None
        if len(found) >= _MOST_TERMS:
            break
    return set(list(found)[:_MOST_TERMS])


def _parts(word: str) -> list[str]:
    if word.isascii():
        return [word[:_LONGEST]] if len(word) > 1 else []
    parts: list[str] = []
    for run in _UNSPACED.findall(word):
        parts += [run[start : start + 2] for start in range(max(len(run) - 1, 1))]
    return parts + [piece[:_LONGEST] for piece in _UNSPACED.split(word) if len(piece) > 1]
