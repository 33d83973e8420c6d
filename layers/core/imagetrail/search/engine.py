"""tantivy: the schema, a record as a document, our query as the engine's, and hits in order.

The text arrives analysed, its words joined by spaces, so the engine's own reading of text plays no part. Nor does its
scoring, which depends on what else is indexed at the moment: `ranking` says why.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Literal, NamedTuple
from uuid import UUID

import orjson
import tantivy
from tantivy import Occur

from imagetrail.search.analysis import analyse, visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from imagetrail.search.language import Query, Term

_INDEXED = ("owner", "prompt", "style", "model", "status", "dataset_id", "favorite", "created_at")
HALF = (1 << 64) - 1
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EARLIEST = (datetime.min.replace(tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)
LATEST = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)
_WRITER_BYTES = 20_000_000
_TRASHED = "trashed"

Column = Literal["created", "high"]


class Hit(NamedTuple):
    """A document that matched: `created` is in microseconds of the epoch, `length` the number of its prompt's stems."""

    id: str
    created: int
    length: int

    @property
    def high(self) -> int:
        """The first half of the id."""
        return halves(self.id)[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """What hits must be, beside matching; None does not matter.

    Pairs are bounds, included; `created` is in microseconds, `high` the first half of the id. `close` is whether the
    prompt says the query's phrase. What is in the trash is left out, but for what was put there in one of the `hours`.
    """

    owner: str | None = None
    status: str | None = None
    dataset_id: str | None = None
    favorite: bool | None = None
    created: tuple[int, int] = (EARLIEST, LATEST)
    high: tuple[int, int] = (0, HALF)
    length: tuple[int, int] = (0, 2**32)
    close: bool | None = None
    hours: tuple[str, ...] = ()


_EVERYTHING = Filters()


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
    if deleted := record.get("deleted_at"):
        made.add_text("status", _TRASHED)
        made.add_text("status", _trashed_in(hour(deleted)))
    for name in ("style", "model"):
        if record.get(name):
            made.add_text(name, " ".join(analyse(record[name]).words))
    return made


def fingerprint(record: Mapping[str, Any]) -> int:
    """A number that changes with anything that is indexed of a record, and with how."""
    held = [record.get(name) or None for name in _INDEXED]
    if deleted := record.get("deleted_at"):
        held.append(hour(deleted))
    texts = [record.get(name) or "" for name in ("prompt", "style", "model")]
    if any(visible(text) != text for text in texts):  # an earlier analysis took such characters for breaks
        held.append(True)
    return int.from_bytes(blake2b(orjson.dumps(held), digest_size=8).digest())


def halves(image_id: str) -> tuple[int, int]:
    """A UUID as two whole numbers of 64 bits."""
    number = UUID(image_id).int
    return number >> 64, number & HALF


def hour(moment: str) -> str:
    """The hour of a time."""
    return moment[:13]


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

    def frequency(self, field: str, word: str) -> int:
        """In how many documents a word occurs."""
        return self._searcher.doc_freq(field, word)

    def top(self, query: Query | None, filters: Filters, limit: int, column: Column = "created") -> list[Hit]:
        """The `limit` documents with the largest values of a column, all there are if they are fewer."""
        found = self._searcher.search(compiled(query, filters), limit, count=False, order_by_field=column).hits
        return self._hits([address for _, address in found])

    def fingerprints(self) -> dict[str, int]:
        """Every document's, by id."""
        found = self._searcher.search(tantivy.Query.all_query(), max(self.documents, 1), count=False).hits
        addresses = [address for _, address in found]
        held = self._searcher.fast_field_values("fingerprint", addresses)
        return {hit.id: int(value or 0) for hit, value in zip(self._hits(addresses), held, strict=True)}

    def _hits(self, addresses: list[tantivy.DocAddress]) -> list[Hit]:
        columns = [self._searcher.fast_field_values(name, addresses) for name in ("high", "low", "created", "length")]
        return [
            Hit(str(UUID(int=int(high or 0) << 64 | int(low or 0))), int(created or 0), int(length or 0))
            for high, low, created, length in zip(*columns, strict=True)
        ]


def compiled(query: Query | None, filters: Filters) -> tantivy.Query:
    """The engine's query; None is every document."""
    clauses = [(Occur.Must, tantivy.Query.all_query())] if query is None else list(_matching(query))
    for name in ("owner", "status", "dataset_id", "favorite"):
        if (value := getattr(filters, name)) is not None:
            clauses.append((Occur.Must, _term(name, value)))
    for name in ("created", "high", "length"):
        if (bounds := getattr(filters, name)) != getattr(_EVERYTHING, name):
            clauses.append((Occur.Must, _range(name, bounds)))
    if query is not None and filters.close is not None:
        clauses.append((Occur.Must if filters.close else Occur.MustNot, _phrase("words", query.phrase)))
    looked_at = [(Occur.MustNot, _term("status", _trashed_in(hour))) for hour in filters.hours]
    clauses.append((Occur.MustNot, tantivy.Query.boolean_query([(Occur.Must, _term("status", _TRASHED)), *looked_at])))
    return tantivy.Query.boolean_query(clauses)


def _matching(query: Query) -> Iterator[tuple[Occur, tantivy.Query]]:
    if query.matches_nothing:
        yield Occur.Must, tantivy.Query.empty_query()
    elif not query.groups:
        yield Occur.Must, tantivy.Query.all_query()
    for group in query.groups:
        alternatives = [_clause(term) for term in group]
        joined = tantivy.Query.boolean_query([(Occur.Should, clause) for clause in alternatives])
        yield Occur.Must, alternatives[0] if len(alternatives) == 1 else joined
    for term in query.excluded:
        yield Occur.MustNot, _clause(term)


def _range(field: str, bounds: tuple[int, int]) -> tantivy.Query:
    kind = tantivy.FieldType.Integer if field == "created" else tantivy.FieldType.Unsigned
    return tantivy.Query.range_query(schema(), field, kind, *bounds)


def _trashed_in(hour: str) -> str:
    return f"{_TRASHED} {hour}"


def _clause(term: Term) -> tantivy.Query:
    if term.field == "dataset":
        known = [(Occur.Should, _term("dataset_id", dataset_id)) for dataset_id in sorted(term.ids)]
        return tantivy.Query.boolean_query(known) if known else tantivy.Query.empty_query()
    if term.by_stem:
        return _term("stems", term.stem)
    return _words(term.field or "words", term)


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
