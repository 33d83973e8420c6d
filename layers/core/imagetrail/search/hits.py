"""The hits of one search, read from the index, from the list and, before they are shown, from the table."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

from imagetrail import moments
from imagetrail.history import HistoryQuery
from imagetrail.search import engine, matching
from imagetrail.search.engine import Filters
from imagetrail.search.walking import Place, Walk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from imagetrail.callers import Caller
    from imagetrail.dynamo import Item
    from imagetrail.search.language import Query
    from imagetrail.search.searching import Search, SearchQuery

A = TypeVar("A")
B = TypeVar("B")

# A record may be finished this long after it was created, and the index may be this late without missing it.
OVERLAP = timedelta(minutes=5)
MAX_UNINDEXED = 1_000
_TRASH = timedelta(hours=1)  # what was trashed so recently may be restored without the index knowing


class Hits:
    """The hits of a search as it stands now."""

    def __init__(
        self, search: Search, caller: Caller, asked: SearchQuery, query: Query, until: int, owner: str | None
    ) -> None:
        self._search, self._caller, self._asked, self._query = search, caller, asked, query
        self._owner = owner
        self.ranks = asked.sort == "relevance" and query.ranks
        self.ended_at: Place | None = None
        numbers = range(search.shards.count) if owner is None else [search.shards.of(owner)]
        self._shards = self._side_by_side(search.reader.shard, numbers)
        self._filters = Filters(
            owner=owner,
            status=None if asked.status == "all" else asked.status,
            dataset_id=asked.dataset_id,
            favorite=asked.favorite or None,
            created=(_micros(asked.from_, engine.EARLIEST), min(until, _micros(asked.to, engine.LATEST + 1) - 1)),
            hours=tuple(engine.hour(moments.to_text(moment)) for moment in (search.now() - _TRASH, search.now())),
        )

    def verified(self, after: Place) -> Iterator[tuple[Place, Item]]:
        """The hits that are still to be shown, with their records."""
        walk = Walk(
            ask=self._ask,
            query=self._query,
            filters=self._filters,
            known=self._unindexed(),
            depth=self._asked.limit + 1,
            ranks=self.ranks,
        )
        places = walk.places(after)
        read = 0
        while batch := list(islice(places, self._asked.limit + 1)):
            records = self._search.dynamo.get_many(self._search.images_table, [place.id for place in batch])
            for place in batch:
                record = records.get(place.id)
                if record is not None and self._shows(record):
                    yield place, record
            read += len(batch)
            if read >= self._search.max_read:
                self.ended_at = batch[-1]
                return

    def _shows(self, record: Item) -> bool:
        """Whether the record is still one to show: what was indexed may have changed since."""
        asked = self._asked
        return bool(
            not record.get("deleted_at")
            and self._owner in (None, record["owner"])
            and asked.status in ("all", record["status"])
            and asked.dataset_id in (None, record.get("dataset_id"))
            and (record.get("favorite") or not asked.favorite)
        ) and (not self._query.names_datasets or matching.matches(self._query, matching.Document(record)))

    def _ask(self, ask: Callable[[engine.View], A]) -> list[A]:
        """What each shard that holds anything answers."""
        return self._side_by_side(ask, [shard.view for shard in self._shards if shard.view is not None])

    def _side_by_side(self, call: Callable[[A], B], given: Sequence[A]) -> list[B]:
        return [call(one) for one in given] if len(given) == 1 else list(self._search.executor.map(call, given))

    def _unindexed(self) -> dict[str, Place]:
        """The matches that the index would miss: the newest records of the list that it does not hold as they are.

        The list is read from where the index may have a gap on. Of favorites it is read from its end, for a record
        may become one long after it was created.
        """
        low, high = self._filters.created
        if not self._asked.favorite:
            low = max(low, self._indexed_until())
        if self._query.matches_nothing or low > high:
            return {}
        listed = HistoryQuery(
            limit=MAX_UNINDEXED,
            dataset_id=self._asked.dataset_id,
            status=self._asked.status,
            favorite=self._asked.favorite,
            from_=None if low == engine.EARLIEST else engine.moment(low),
            to=engine.moment(high + 1),
        )
        keys = self._search.history.newest_keys(self._caller, listed)
        if not keys:
            return {}
        window = replace(self._filters, created=(engine.created(keys[-1]), high))
        known = {hit.id for hits in self._ask(lambda view: view.top(None, window, MAX_UNINDEXED)) for hit in hits}
        missing = [key["id"] for key in keys if key["id"] not in known]
        records = self._search.dynamo.get_many(self._search.images_table, missing) if missing else {}
        documents = [matching.Document(record) for record in records.values() if self._shows(record)]
        return {
            document.record["id"]: Place(
                matching.rank(self._query, document) if self.ranks else 0,
                engine.created(document.record),
                document.record["id"],
            )
            for document in documents
            if matching.matches(self._query, document)
        }

    def _indexed_until(self) -> int:
        """Up to when the index holds what was created, in microseconds: the last change it has seen, but for the time
        that a generation may take and that one stream of changes may be behind another."""
        position = max((shard.position for shard in self._shards), default="")
        return engine.micros(datetime.fromisoformat(position) - OVERLAP) if position else engine.EARLIEST


def _micros(moment: datetime | None, default: int) -> int:
    return default if moment is None else engine.micros(moment)
