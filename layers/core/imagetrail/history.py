"""The history: one record, or page after page of them, as far as the caller may see."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import orjson

from imagetrail import cursors, moments
from imagetrail.cursors import Position
from imagetrail.dynamo import Expression
from imagetrail.errors import Invalid, NotFound, Unauthenticated
from imagetrail.records import DELETED, FAVORITE, public, shelf

if TYPE_CHECKING:
    from imagetrail.callers import Caller
    from imagetrail.dynamo import Dynamo, Item, Page
    from imagetrail.ledger import Days
    from imagetrail.settings import AnonymousHistory

BY_OWNER = "idx_generated_images_user_id"
BY_DATASET = "idx_generated_images_dataset_id"
BY_DAY = "idx_generated_images_created_at"
BY_SHELF = "idx_generated_images_shelf"
BY_DATASET_SHELF = "idx_generated_images_dataset_shelf"
BY_FAVORITE = "idx_generated_images_favorite_shelf"
BY_DATASET_FAVORITE = "idx_generated_images_dataset_favorite_shelf"

MAX_OFFSET = 10_000
_CALLS_PER_PAGE = 8
_CALLS_PER_OFFSET = 100
_FILTERED_READ = 200
_FIRST, _LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
# Lambda's answer is at most 6 MB of JSON, in which ours is a string: a character takes up to 6 bytes there.
_PAGE_BYTES = 5_000_000
_RECORD_BYTES = 16_000
_TEXTS = ("prompt", "full_prompt", "negative_prompt")


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryQuery:
    """What to list. `from_` is included, `to` is not; `status` may be `deleted` or `all` of the others."""

    limit: int = 50
    offset: int = 0
    cursor: str | None = None
    dataset_id: str | None = None
    status: str = "succeeded"
    favorite: bool = False
    from_: datetime | None = None
    to: datetime | None = None
    order: str = "desc"


@dataclass(frozen=True, slots=True)
class _Source:
    """The partitions to read one after the other, and what to leave out of them."""

    index: str
    attribute: str
    partitions: list[str]
    keep: Expression | None = None


class History:
    """Reads cost O(page): every filter but an admin's is a partition of an index."""

    def __init__(self, dynamo: Dynamo, table: str, days: Days, anonymous_history: AnonymousHistory) -> None:
        self._dynamo, self._table, self._days = dynamo, table, days
        self._anonymous_history = anonymous_history

    def get(self, caller: Caller, image_id: str, public_url: str) -> dict[str, Any]:
        """One record. Raises NotFound, also for a record the caller may not see."""
        return public(self.find(caller, image_id), public_url)

    def find(self, caller: Caller, image_id: str) -> Item:
        """One record, as it is kept. Raises NotFound as `get` does."""
        sees_all = self.sees_all(caller)
        # A read just after the write may miss it: only then is the dearer, consistent read made.
        record = self._dynamo.get(self._table, image_id) or self._dynamo.get(self._table, image_id, consistent=True)
        if record is None or not (sees_all or caller.owns(record["owner"])):
            raise NotFound("No image of yours has this id.")
        return record

    def page(self, caller: Caller, query: HistoryQuery, public_url: str) -> dict[str, Any]:
        """`limit` records, fewer at the end, or where a filter of an admin leaves many out: then with a cursor."""
        if query.cursor is not None and query.offset:
            raise Invalid("Give either cursor or offset.", errors=[("offset", "must be 0 with a cursor")])
        scope = self._scope(caller, query)
        after = None if query.cursor is None else cursors.decode(query.cursor, scope)
        if after is not None and not _within(after, query):
            raise cursors.refused()
        reader = _Reader(self._dynamo, self._table, query, self._source(caller, query))
        if query.offset:
            after = reader.skip(query.offset)
        records, next_after = reader.read(after) if query.offset == 0 or after is not None else ([], None)
        return {
            "images": [public(record, public_url) for record in records],
            "count": len(records),
            "offset": query.offset,
            "limit": query.limit,
            "next_cursor": None if next_after is None else cursors.encode(next_after, scope),
        }

    def newest_keys(self, caller: Caller, query: HistoryQuery) -> list[Item]:
        """`id` and `created_at` of the first records of a list."""
        source = self._source(caller, query)
        return _Reader(self._dynamo, self._table, query, source, ("id", "created_at")).read(None)[0]

    def sees_all(self, caller: Caller) -> bool:
        """Whether the caller sees everybody's records. Raises Unauthenticated where nobody sees any without a token."""
        if caller.user_id is None and self._anonymous_history == "none":
            raise Unauthenticated("This deployment shows its history to signed-in callers only.", with_token=False)
        return caller.is_admin or (caller.user_id is None and self._anonymous_history == "all")

    def _scope(self, caller: Caller, query: HistoryQuery) -> tuple[str | None, ...]:
        bounds = (None if moment is None else moments.to_text(moment) for moment in (query.from_, query.to))
        seen = "all" if self.sees_all(caller) else "own"
        favorite = FAVORITE if query.favorite else None
        return (caller.owner, seen, query.dataset_id, query.status, favorite, query.order, *bounds)

    def _source(self, caller: Caller, query: HistoryQuery) -> _Source:
        dataset_id, status, owner = query.dataset_id, query.status, caller.owner
        if query.favorite and status not in ("succeeded", "all"):
            return _Source(BY_FAVORITE, "favorite_shelf", [])  # only what can be looked at is a favourite
        visible = f"attribute_{'exists' if status == DELETED else 'not_exists'}(#deleted_at)"
        if status not in (DELETED, "all"):
            visible += " AND #status = :status"
        if self.sees_all(caller):
            if query.favorite:
                visible += " AND attribute_exists(#favorite_shelf)"
            keep = Expression(visible, {"status": status})
            if dataset_id is not None:
                return _Source(BY_DATASET, "dataset_id", [dataset_id], keep)
            return _Source(BY_DAY, "created_day", self._days.between(query.from_, query.to), keep)
        if query.favorite and dataset_id is not None:
            return _Source(BY_DATASET_FAVORITE, "dataset_favorite_shelf", [shelf(FAVORITE, owner, dataset_id)])
        if query.favorite:
            return _Source(BY_FAVORITE, "favorite_shelf", [shelf(FAVORITE, owner)])
        if status != "all":
            if dataset_id is not None:
                return _Source(BY_DATASET_SHELF, "dataset_shelf", [shelf(status, owner, dataset_id)])
            return _Source(BY_SHELF, "shelf", [shelf(status, owner)])
        if dataset_id is not None:
            keep = Expression(f"{visible} AND #owner = :owner", {"owner": owner})
            return _Source(BY_DATASET, "dataset_id", [dataset_id], keep)
        return _Source(BY_OWNER, "owner", [owner], Expression(visible))


class _Reader:
    """Walks the partitions of a source in the query's order."""

    def __init__(
        self, dynamo: Dynamo, table: str, query: HistoryQuery, source: _Source, attributes: tuple[str, ...] = ()
    ) -> None:
        self._dynamo, self._table, self._query, self._source = dynamo, table, query, source
        self._attributes = attributes
        self._newest_first = query.order == "desc"
        self._partitions = sorted(source.partitions, reverse=self._newest_first)

    def read(self, after: Position | None) -> tuple[list[Item], Position | None]:
        """A page of records, and the position after it if there may be more."""
        limit, keep = self._query.limit, self._source.keep
        records: list[Item] = []
        calls = 0
        partitions = self._from(after)
        for number, partition in enumerate(partitions):
            while True:
                missing = limit + 1 - len(records)
                page = self._query_partition(
                    partition, missing if keep is None else max(missing, _FILTERED_READ), after
                )
                calls += 1
                records += page.items
                fit = fitting(records, limit)
                if len(records) > fit:
                    return records[:fit], _position(records[fit - 1])
                after = _position(page.last)
                if after is None:
                    break
                if calls >= _CALLS_PER_PAGE:
                    return records, after
            if calls >= _CALLS_PER_PAGE and number + 1 < len(partitions):
                return records, Position(partitions[number + 1], "")
        return records, None

    def skip(self, offset: int) -> Position | None:
        """The position after `offset` records, None if there are not more than those. Raises Invalid."""
        passed = 0
        calls = 0
        for number, partition in enumerate(self._partitions):
            start = None
            while True:
                page = self._query_partition(partition, offset - passed, start, count_only=True)
                calls += 1
                passed += page.count
                start = _position(page.last)
                if passed == offset and start is not None:
                    return start
                if passed == offset:
                    following = self._partitions[number + 1 : number + 2]
                    return Position(following[0], "") if following else None
                if start is None:
                    break
                if calls >= _CALLS_PER_OFFSET:
                    raise Invalid(
                        "This offset is too deep for these filters. Use cursor instead.",
                        errors=[("offset", "must be smaller, or give way to next_cursor")],
                    )
        return None

    def _from(self, after: Position | None) -> list[str]:
        """The partitions that are left: all, or those from the position's day on."""
        if after is None or self._source.attribute != "created_day":
            return self._partitions
        day = after.created_at[:10]
        return [p for p in self._partitions if (p <= day if self._newest_first else p >= day)]

    def _query_partition(self, partition: str, limit: int, start: Position | None, *, count_only: bool = False) -> Page:
        attribute, query = self._source.attribute, self._query
        text, values = f"#{attribute} = :{attribute}", {attribute: partition}
        if query.from_ is not None or query.to is not None:
            text += " AND #created_at BETWEEN :from AND :to"
            values["from"], values["to"] = _bounds(query)
        begin = None
        if start is not None and start.id:
            begin = {"id": start.id, "created_at": start.created_at, attribute: partition}
        return self._dynamo.query(
            self._table,
            self._source.index,
            Expression(text, values),
            newest_first=self._newest_first,
            limit=limit,
            start=begin,
            keep=self._source.keep,
            count_only=count_only,
            attributes=self._attributes,
        )


def _bounds(query: HistoryQuery) -> tuple[str, str]:
    """The first and the last created_at asked for, as text."""
    first = _FIRST if query.from_ is None else query.from_
    last = _LAST if query.to is None else max(query.to, _FIRST + timedelta(days=1)) - timedelta(microseconds=1)
    return moments.to_text(first), moments.to_text(last)


def _within(position: Position, query: HistoryQuery) -> bool:
    """Whether a position, a time or a whole day, lies in the range asked for."""
    low, high = _bounds(query)
    length = len(position.created_at)
    return low[:length] <= position.created_at <= high[:length]


def fitting(records: list[Item], limit: int) -> int:
    """How many of the records make a page: at most `limit`, at least one, and no more than an answer may hold."""
    longest = sum(_RECORD_BYTES + 6 * sum(len(record.get(text) or "") for text in _TEXTS) for record in records)
    if longest <= _PAGE_BYTES:
        return limit
    size = 0
    for number, record in enumerate(records[:limit]):
        size += len(orjson.dumps(orjson.dumps(record, default=list).decode()))
        if size > _PAGE_BYTES:
            return max(number, 1)
    return limit


def _position(key: Item | None) -> Position | None:
    return None if key is None else Position(key["created_at"], key["id"])
