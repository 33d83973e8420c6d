"""The query language: words, "phrases", prefix*, -exclusion, OR, and the fields style:, model: and dataset:.

All words must occur; OR joins its two neighbours. Whatever does not parse is read as words, so no text is an error.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple
from uuid import UUID

from imagetrail.search.analysis import visible, words

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

FIELDS = ("style", "model", "dataset")
# Words that carry no meaning of their own: beside others they may be missing.
_LIGHT = frozenset(
    ["a", "an", "and", "are", "as", "at", "be", "by", "for", "from", "in", "into", "is", "it", "its", "of", "on", "or"]
) | {"that", "the", "this", "to", "with"}
_QUOTES = str.maketrans(dict.fromkeys("“”„‟«»＂", '"'))
_OPERAND = re.compile(rf'(-?)(?:({"|".join(FIELDS)}):)?(?:"([^"]*)"|([^\s"]+))')
_SPLIT = re.compile(r"[,;:!?()\[\]{}<>|=+~^\\]+")


@dataclass(frozen=True, slots=True)
class Term:
    """What one operand asks for. `field` is None for the prompt.

    A single word stands for its stem unless it was quoted, several follow each other; of a prefix the last is only the
    beginning. `text` is the operand as written; `ids` are what a dataset's id or name stands for.
    """

    words: tuple[str, ...]
    stem: str
    field: str | None = None
    quoted: bool = False
    prefix: bool = False
    text: str = ""
    ids: frozenset[str] = frozenset()

    @property
    def by_stem(self) -> bool:
        """Whether any form of the word will do. A single character is never part of a pair: its stem finds it."""
        one = len(self.words) == 1 and not self.prefix and self.field is None
        return one and (not self.quoted or len(self.words[0]) == 1)


@dataclass(frozen=True, slots=True)
class Query:
    """At least one term of each group must match, and none of `excluded`.

    `phrase` is the whole query as typed, light words included: a prompt that says it so fits better than one that holds
    its words apart or in other forms. It is empty where that makes no difference, or no sense.
    """

    groups: tuple[tuple[Term, ...], ...] = ()
    phrase: tuple[str, ...] = ()
    excluded: tuple[Term, ...] = ()

    @property
    def matches_nothing(self) -> bool:
        """Whether it holds no word at all."""
        return not (self.groups or self.excluded)

    @property
    def ranks(self) -> bool:
        """Whether some hits can fit better than others: the prompt's words rank, fields and beginnings only choose."""
        terms = (term for group in self.groups for term in group)
        return any(term.field is None and (len(term.words) > 1 or not term.prefix) for term in terms)

    @property
    def names_datasets(self) -> bool:
        """Whether any term is a dataset, which a record may lose."""
        terms = [*(term for group in self.groups for term in group), *self.excluded]
        return any(term.field == "dataset" for term in terms)

    def with_datasets(self, ids_of: Callable[[str], Collection[str]]) -> Query:
        """The same with what each dataset operand stands for."""

        def known(term: Term) -> Term:
            return replace(term, ids=frozenset(ids_of(term.text))) if term.field == "dataset" else term

        groups = tuple(tuple(known(term) for term in group) for group in self.groups)
        return replace(self, groups=groups, excluded=tuple(known(term) for term in self.excluded))


class _Operand(NamedTuple):
    terms: tuple[Term, ...]
    excluded: bool = False
    operator: str = ""


def parse(text: str) -> Query:
    """The query that a text means. Never raises."""
    operands = list(_operands(visible(text).translate(_QUOTES)))
    groups: list[tuple[Term, ...]] = []
    excluded: list[Term] = []
    joining = False
    for number, operand in enumerate(operands):
        joins = operand.operator and _joins(operands, number)
        if joins:
            joining = operand.operator == "OR"
        elif operand.excluded:
            excluded += operand.terms
        elif joining:
            groups[-1] += operand.terms[:1]
            groups += [(term,) for term in operand.terms[1:]]
            joining = False
        else:
            groups += [(term,) for term in operand.terms]
    required = [group for group in groups if len(group) > 1 or not _is_light(group[0])]
    return Query(tuple(required or groups), _phrase(groups), tuple(excluded))


def _phrase(groups: list[tuple[Term, ...]]) -> tuple[str, ...]:
    terms = [group[0] for group in groups if group[0].field is None]
    plain = all(len(group) == 1 for group in groups) and not any(term.prefix for term in terms)
    if not plain or (len(terms) == 1 and not terms[0].by_stem):
        return ()
    return tuple(word for term in terms for word in term.words)


def _operands(text: str) -> Iterator[_Operand]:
    for found in _OPERAND.finditer(text):
        minus, field, phrase, bare = found.groups()
        excluded = bool(minus) and (found.start() == 0 or text[found.start() - 1].isspace())
        if minus and not excluded and bare is not None and field is None:
            bare = minus + bare
        terms = tuple(_terms(field, phrase, bare))
        operator = {"OR": "OR", "|": "OR", "AND": "AND"}.get(found.group(), "")
        if terms or operator:
            yield _Operand(terms, excluded, operator)


def _terms(field: str | None, phrase: str | None, bare: str | None) -> Iterator[Term]:
    if phrase is not None or field is not None:
        text = phrase if phrase is not None else bare or ""
        if term := _term(text, field, quoted=phrase is not None):
            yield term
        return
    for piece in _SPLIT.split(bare or ""):
        if term := _term(piece, None, quoted=False):
            yield term


def _term(text: str, field: str | None, *, quoted: bool) -> Term | None:
    found = list(words(text))
    if field == "dataset" and text.strip():
        return Term(tuple(word.text for word in found), "", field, quoted=quoted, text=text.strip())
    if not found:
        return None
    prefix = text.endswith("*") and not quoted and found[-1].text.isalnum() and len(found[-1].text) > 1
    return Term(tuple(word.text for word in found), found[-1].stem, field, quoted=quoted, prefix=prefix, text=text)


def _joins(operands: list[_Operand], number: int) -> bool:
    """Whether an operator stands between two operands that it can join; a word otherwise."""
    before, after = operands[number - 1 : number] if number else [], operands[number + 1 : number + 2]
    return all(side and side[0].terms and not side[0].excluded and not side[0].operator for side in (before, after))


def _is_light(term: Term) -> bool:
    return term.by_stem and not term.quoted and term.words[0] in _LIGHT


def dataset_id(text: str) -> str | None:
    """The id that a dataset operand is, None for a name."""
    try:
        return str(UUID(text))
    except ValueError:
        return None
