"""The index's judgement over a single record, for those that are not in the index yet: same words, same BM25."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

from imagetrail.search.analysis import Analysed, analyse

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from imagetrail.search.language import Query, Term

_K1, _B = 1.2, 0.75


class Statistics(Protocol):
    """How common words are among what is indexed."""

    @property
    def documents(self) -> int: ...
    @property
    def mean_length(self) -> float: ...
    def frequency(self, field: str, word: str) -> int: ...


@dataclass(frozen=True)
class Document:
    """A record as the index sees it."""

    record: Mapping[str, Any]

    @cached_property
    def words(self) -> list[str]:
        """The prompt's words."""
        return self._analysed.words

    @cached_property
    def stems(self) -> Counter[str]:
        """The prompt's stems and how often each occurs."""
        return Counter(self._analysed.stems)

    @cached_property
    def _analysed(self) -> Analysed:
        return analyse(self.record.get("prompt") or "")

    def field(self, name: str) -> list[str]:
        """The words of another field."""
        return analyse(self.record.get(name) or "").words


def score(query: Query, document: Document, statistics: Statistics) -> float | None:
    """The document's rank, None if it does not match."""
    if query.matches_nothing or any(_weigh(term, document, statistics) is not None for term in query.excluded):
        return None
    total = 0.0 if query.groups else 1.0
    for group in query.groups:
        weights = [weight for term in group if (weight := _weigh(term, document, statistics)) is not None]
        if not weights:
            return None
        total += sum(weights)
    return total + sum(_weigh(term, document, statistics) or 0.0 for term in query.helpful)


def _weigh(term: Term, document: Document, statistics: Statistics) -> float | None:
    if term.field == "dataset":
        return 0.0 if document.record.get("dataset_id") in term.ids else None
    if term.by_stem:
        count = document.stems[term.stem]
        return _bm25("stems", (term.stem,), count, document.stems.total(), statistics) if count else None
    held = document.words if term.field is None else document.field(term.field)
    known, beginning = (term.words[:-1], term.words[-1]) if term.prefix else (term.words, "")
    count = occurrences(known, held) if known else 0
    if (known and not count) or not any(word.startswith(beginning) for word in held):
        return None
    if term.field is not None:
        return 0.0
    return float(term.prefix) + (_bm25("words", known, count, len(held), statistics) if known else 0.0)


def occurrences(phrase: Sequence[str], held: Sequence[str]) -> int:
    """How often the words follow each other."""
    length, wanted = len(phrase), list(phrase)
    return sum(
        held[start] == wanted[0] and list(held[start : start + length]) == wanted
        for start in range(len(held) - length + 1)
    )


def _bm25(field: str, terms: Sequence[str], count: int, length: int, statistics: Statistics) -> float:
    documents = statistics.documents
    rarity = 0.0
    for term in terms:
        holding = min(statistics.frequency(field, term), documents)
        rarity += math.log(1 + (documents - holding + 0.5) / (holding + 0.5))
    norm = _K1 * (1 - _B + _B * length / max(statistics.mean_length, 1.0))
    return rarity * (_K1 + 1) * count / (count + norm)
