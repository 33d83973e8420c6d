"""tantivy: the schema, a record as a document, our query as the engine's, and ranked hits.

The text arrives analysed, its words joined by spaces, so the engine's own reading of text plays no part.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache, cached_property
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

import orjson
import tantivy
from tantivy import Occur

from imagetrail.search.analysis import analyse

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from imagetrail.search.language import Query, Term

_INDEXED = ("owner", "prompt", "style", "model", "status", "dataset_id", "favorite", "created_at")
_HALF = (1 << 64) - 1
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_WRITER_BYTES = 20_000_000


class Hit(NamedTuple):
    """A document that matched: `created` is in microseconds of the epoch."""

    id: str
    score: float
    created: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """What hits must be, beside matching; None does not matter. `created` holds bounds in microseconds, included."""

    owner: str | None = None
    status: str | None = None
    dataset_id: str | None = None
    favorite: bool | None = None
    created: tuple[int, int] | None = None


@cache
def schema() -> tantivy.Schema:
    """The fields of the index."""
    builder = tantivy.SchemaBuilder()
    builder.add_unsigned_field("high", indexed=True, fast=True)
    builder.add_unsigned_field("low", indexed=True, fast=True)
    builder.add_integer_field("created", indexed=True, fast=True)
    builder.add_unsigned_field("length", fast=True)
    builder.add_unsigned_field("fingerprint", fast=True)
    builder.add_boolean_field("favorite", indexed=True)
    for name in ("owner", "status", "dataset_id"):
        builder.add_text_field(name, tokenizer_name="raw", index_option="basic")
    for name in ("words", "style", "model"):
        builder.add_text_field(name, tokenizer_name="whitespace", index_option="position")
    builder.add_text_field("stems", tokenizer_name="whitespace", index_option="freq")
    return builder.build()


def document(record: Mapping[str, Any]) -> tantivy.Document:
    """A record as it is indexed; nothing of it is stored."""
    high, low = halves(record["id"])
    analysed = analyse(record.get("prompt") or "")
    made = tantivy.Document()
    made.add_unsigned("high", high)
    made.add_unsigned("low", low)
    made.add_integer("created", created(record))
    made.add_unsigned("length", len(analysed.stems))
    made.add_unsigned("fingerprint", fingerprint(record))
    made.add_boolean("favorite", bool(record.get("favorite")))
    made.add_text("words", " ".join(analysed.words))
    made.add_text("stems", " ".join(analysed.stems))
    for name in ("owner", "status", "dataset_id"):
        if record.get(name):
            made.add_text(name, record[name])
    for name in ("style", "model"):
        if record.get(name):
            made.add_text(name, " ".join(analyse(record[name]).words))
    return made


def fingerprint(record: Mapping[str, Any]) -> int:
    """A number that changes with anything that is indexed of a record."""
    held = [record.get(name) or None for name in _INDEXED]
    return int.from_bytes(blake2b(orjson.dumps(held), digest_size=8).digest())


def halves(image_id: str) -> tuple[int, int]:
    """A UUID as two whole numbers of 64 bits."""
    number = UUID(image_id).int
    return number >> 64, number & _HALF


def created(record: Mapping[str, Any]) -> int:
    """When a record was created, in microseconds of the epoch."""
    return micros(datetime.fromisoformat(record["created_at"]))


def micros(moment: datetime) -> int:
    """A time in microseconds of the epoch."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def moment(microseconds: int) -> datetime:
    """The time that `micros` made a number of. Raises OverflowError."""
    return _EPOCH + timedelta(microseconds=microseconds)


def by_id(image_id: str) -> tantivy.Query:
    """The document of a record."""
    high, low = halves(image_id)
    return tantivy.Query.boolean_query([(Occur.Must, _term("high", high)), (Occur.Must, _term("low", low))])


@contextmanager
def writing(folder: Path) -> Iterator[tantivy.IndexWriter]:
    """A writer over the index in a folder, or over a new one; committed and merged when the block ends well."""
    folder.mkdir(exist_ok=True)
    path = str(folder)
    index = tantivy.Index.open(path) if tantivy.Index.exists(path) else tantivy.Index(schema(), path=path)
    writer = index.writer(_WRITER_BYTES, 1)
    try:
        yield writer
        writer.commit()
    finally:
        writer.wait_merging_threads()


class View:
    """One state of a shard, opened; it needs its files no longer. Safe for threads."""

    def __init__(self, folder: Path) -> None:
        self._searcher = tantivy.Index.open(str(folder)).searcher()

    @property
    def documents(self) -> int:
        """How many there are."""
        return self._searcher.num_docs

    @cached_property
    def mean_length(self) -> float:
        """Words of a prompt."""
        mean = {"mean": {"avg": {"field": "length"}}}
        return float(self._searcher.aggregate(tantivy.Query.all_query(), mean)["mean"]["value"] or 1.0)

    def frequency(self, field: str, word: str) -> int:
        """In how many documents a word occurs."""
        return self._searcher.doc_freq(field, word)

    def best(self, query: Query, filters: Filters, limit: int) -> list[Hit]:
        """The `limit` most relevant documents."""
        found = self._searcher.search(compiled(query, filters), limit, count=False).hits
        return self._hits(found)

    def newest(self, query: Query, filters: Filters, limit: int) -> list[Hit]:
        """The `limit` newest documents, all of the same rank."""
        found = self._searcher.search(compiled(query, filters), limit, count=False, order_by_field="created").hits
        return self._hits([(0.0, address) for _, address in found])

    def fingerprints(self) -> dict[str, int]:
        """Every document's, by id."""
        found = self._searcher.search(tantivy.Query.all_query(), max(self.documents, 1), count=False).hits
        ids = [hit.id for hit in self._hits(found)]
        held = self._searcher.fast_field_values("fingerprint", [address for _, address in found])
        return {image_id: int(value or 0) for image_id, value in zip(ids, held, strict=True)}

    def _hits(self, ranked: list[tuple[float, tantivy.DocAddress]]) -> list[Hit]:
        addresses = [address for _, address in ranked]
        columns = [self._searcher.fast_field_values(name, addresses) for name in ("high", "low", "created")]
        return [
            Hit(str(UUID(int=int(high or 0) << 64 | int(low or 0))), score, int(created or 0))
            for (score, _), high, low, created in zip(ranked, *columns, strict=True)
        ]


def compiled(query: Query, filters: Filters) -> tantivy.Query:
    """The engine's query; filters weigh nothing."""
    clauses: list[tuple[Occur, tantivy.Query]] = []
    for group in query.groups:
        alternatives = [_clause(term) for term in group]
        joined = tantivy.Query.boolean_query([(Occur.Should, clause) for clause in alternatives])
        clauses.append((Occur.Must, alternatives[0] if len(alternatives) == 1 else joined))
    if not clauses:
        nothing = query.matches_nothing
        clauses.append((Occur.Must, tantivy.Query.empty_query() if nothing else tantivy.Query.all_query()))
    clauses += [(Occur.Should, _clause(term)) for term in query.helpful]
    clauses += [(Occur.MustNot, _clause(term)) for term in query.excluded]
    for name in ("owner", "status", "dataset_id", "favorite"):
        if (value := getattr(filters, name)) is not None:
            clauses.append((Occur.Must, tantivy.Query.const_score_query(_term(name, value), 0.0)))
    if filters.created is not None:
        low, high = filters.created
        bounds = tantivy.Query.range_query(schema(), "created", tantivy.FieldType.Integer, low, high)
        clauses.append((Occur.Must, tantivy.Query.const_score_query(bounds, 0.0)))
    return tantivy.Query.boolean_query(clauses)


def _clause(term: Term) -> tantivy.Query:
    if term.field == "dataset":
        known = [(Occur.Should, _term("dataset_id", dataset_id)) for dataset_id in sorted(term.ids)]
        chosen = tantivy.Query.boolean_query(known) if known else tantivy.Query.empty_query()
        return tantivy.Query.const_score_query(chosen, 0.0)
    if term.by_stem:
        return _term("stems", term.stem)
    if term.field is not None:
        return tantivy.Query.const_score_query(_words(term.field, term), 0.0)
    return _words("words", term)


def _words(field: str, term: Term) -> tantivy.Query:
    if not term.prefix:
        return _phrase(field, term.words)
    beginning = tantivy.Query.regex_query(schema(), field, f"{_literal(term.words[-1])}.*")
    if len(term.words) == 1:
        return beginning
    return tantivy.Query.boolean_query([(Occur.Must, _phrase(field, term.words[:-1])), (Occur.Must, beginning)])


def _phrase(field: str, words: tuple[str, ...]) -> tantivy.Query:
    if len(words) == 1:
        return _term(field, words[0])
    return tantivy.Query.phrase_query(schema(), field, list(words))


def _term(field: str, value: str | int) -> tantivy.Query:
    return tantivy.Query.term_query(schema(), field, value)


def _literal(word: str) -> str:
    return re.sub(r"([^\w])", r"\\\1", word)
