"""The index's judgement of a single record, for those that are not in the index yet: same words, same rank."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from imagetrail.search import ranking
from imagetrail.search.analysis import Analysed, analyse

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from imagetrail.search.language import Query, Term


@dataclass(frozen=True)
class Document:
    """A record as the index sees it."""

    record: Mapping[str, Any]

    @cached_property
    def prompt(self) -> Analysed:
        """The prompt's words and stems."""
        return analyse(self.record.get("prompt") or "")

    def words(self, field: str | None) -> list[str]:
        """The words of the prompt, or of another field."""
        return self.prompt.words if field is None else analyse(self.record.get(field) or "").words


def matches(query: Query, document: Document) -> bool:
    """Whether the document is one of those that the query finds."""
    if query.matches_nothing or any(_holds(document, term) for term in query.excluded):
        return False
    return all(any(_holds(document, term) for term in group) for group in query.groups)


def rank(query: Query, document: Document) -> int:
    """The rank of a document that matches."""
    close = bool(query.phrase) and occurs(query.phrase, document.prompt.words)
    return ranking.rank(len(document.prompt.stems), close=close)


def occurs(phrase: Sequence[str], held: Sequence[str]) -> bool:
    """Whether the words follow each other."""
    length, wanted = len(phrase), list(phrase)
    return any(
        held[start] == wanted[0] and list(held[start : start + length]) == wanted
        for start in range(len(held) - length + 1)
    )


def _holds(document: Document, term: Term) -> bool:
    if term.field == "dataset":
        return document.record.get("dataset_id") in term.ids
    if term.by_stem:
        return term.stem in document.prompt.stems
    held = document.words(term.field)
    known, beginning = (term.words[:-1], term.words[-1]) if term.prefix else (term.words, "")
    return (not known or occurs(known, held)) and any(word.startswith(beginning) for word in held)
