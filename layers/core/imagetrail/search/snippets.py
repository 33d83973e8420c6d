"""The part of a prompt that shows why it was found, as fragments: safe to show without reading any markup."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from imagetrail.search.analysis import words

if TYPE_CHECKING:
    from imagetrail.search.analysis import Word
    from imagetrail.search.language import Query, Term

_LENGTH = 160
_LEAD = 40


def snippet(query: Query, prompt: str) -> list[dict[str, Any]]:
    """About 160 characters around the densest matches, as `{text, match}`; `…` stands for what was left out."""
    held = list(words(prompt))
    terms = [term for group in query.groups for term in group if term.field is None]
    spans = _merged([span for term in terms for span in _spans(term, held, prompt)])
    start, end = _window(spans, prompt)
    fragments: list[dict[str, Any]] = []

    def show(text: str, *, match: bool) -> None:
        if text:
            fragments.append({"text": text, "match": match})

    at = start
    for low, high in spans:
        if start <= low and high <= end:
            show(prompt[at:low], match=False)
            show(prompt[low:high], match=True)
            at = high
    show(prompt[at:end], match=False)
    if start > 0:
        fragments.insert(0, {"text": "…", "match": False})
    if end < len(prompt):
        fragments.append({"text": "…", "match": False})
    return fragments


def _spans(term: Term, held: list[Word], prompt: str) -> list[tuple[int, int]]:
    if term.by_stem:
        single = [(word.start, word.end) for word in held if word.stem == term.stem]
        if single or len(term.words[0]) > 1:
            return single
        return [(at, at + 1) for at, character in enumerate(prompt) if character == term.words[0]]
    if not term.prefix:
        return _sequences(term.words, held)
    beginning = [(word.start, word.end) for word in held if word.text.startswith(term.words[-1])]
    return beginning + (_sequences(term.words[:-1], held) if len(term.words) > 1 else [])


def _sequences(phrase: tuple[str, ...], held: list[Word]) -> list[tuple[int, int]]:
    length = len(phrase)
    return [
        (held[at].start, held[at + length - 1].end)
        for at in range(len(held) - length + 1)
        if held[at].text == phrase[0] and tuple(word.text for word in held[at : at + length]) == phrase
    ]


def _merged(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for low, high in sorted(spans):
        if merged and low <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
        else:
            merged.append((low, high))
    return merged


def _window(spans: list[tuple[int, int]], prompt: str) -> tuple[int, int]:
    """Where the window with the most matches begins and ends, at spaces if there are any near."""
    if len(prompt) <= _LENGTH:
        return 0, len(prompt)
    best = max(
        (low for low, _ in spans),
        key=lambda low: sum(low <= other and end <= low + _LENGTH - _LEAD for other, end in spans),
        default=0,
    )
    start = max(0, min(best - _LEAD, len(prompt) - _LENGTH))
    if start and (space := prompt.find(" ", start, best)) >= 0:
        start = space + 1
    end = min(len(prompt), start + _LENGTH)
    if end < len(prompt) and (space := prompt.rfind(" ", max(start + _LENGTH - _LEAD, best), end)) >= 0:
        end = max([space, *(high for low, high in spans if low < space < high)])
    return start, end
