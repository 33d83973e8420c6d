"""Search: the caller's records that match, ranked, page by page.

Candidates come from the index and, for what is newer than the index knows of, from the list itself. Whatever is shown
has been read from the table just before, so a stale index can neither show what is gone nor what is not the caller's.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from heapq import nlargest
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeVar

from imagetrail import cursors, moments
from imagetrail.history import HistoryQuery, fitting
from imagetrail.records import public
from imagetrail.search import engine, matching
from imagetrail.search.analysis import words
from imagetrail.search.engine import Filters, Hit
from imagetrail.search.language import dataset_id, parse
from imagetrail.search.snippets import snippet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from concurrent.futures import Executor

    from imagetrail.callers import Caller
    from imagetrail.datasets import Datasets
    from imagetrail.dynamo import Dynamo, Item
    from imagetrail.history import History
    from imagetrail.search.language import Query
    from imagetrail.search.reader import Reader
    from imagetrail.search.shards import Shards

A = TypeVar("A")
B = TypeVar("B")
Sort = Literal["relevance", "time"]

# A record may be finished this long after it was created, and the index may be this late without missing it.
OVERLAP = timedelta(minutes=5)
MAX_FRESH = 1_000
BLOCK = 500  # hits that are ranked together
MAX_BLOCKS = 20
_DATASETS_LOOKED_AT = 1_000
_EARLIEST = engine.micros(datetime.min.replace(tzinfo=UTC))
_LATEST = engine.micros(datetime.max.replace(tzinfo=UTC))


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchQuery:
    """What to look for; the filters are the list's."""

    q: str
    limit: int = 50
    cursor: str | None = None
    sort: Sort = "relevance"
    dataset_id: str | None = None
    status: str = "succeeded"
    favorite: bool = False
    from_: datetime | None = None
    to: datetime | None = None


class _Place(NamedTuple):
    """Where a page ended. `until` and `since` pin what the first page saw of the records that are not indexed yet;
    `block` and `rank` are where the hit `id`, created at `created`, stood."""

    until: int
    since: str
    block: int
    rank: int
    created: int
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """Reads one shard for a caller, and all of them, side by side, only for those who see every record."""

    history: History
    datasets: Datasets
    dynamo: Dynamo
    images_table: str
    reader: Reader
    shards: Shards
    executor: Executor
    now: Callable[[], datetime] = moments.utc_now

    def page(self, caller: Caller, asked: SearchQuery, public_url: str) -> dict[str, Any]:
        """At most `limit` records with `score` and `snippet`. Raises InvalidCursor, Unauthenticated, Unavailable."""
        sees_all = self.history.sees_all(caller)
        scope = _scope(caller, asked, sees_all=sees_all)
        place = None if asked.cursor is None else _place(asked.cursor, scope)
        query = parse(asked.q).with_datasets(lambda text: self._datasets(caller, text))
        by_relevance = asked.sort == "relevance" and query.ranks
        found = _Found(self, caller, asked, query, place, None if sees_all else caller.owner)
        walk = found.by_relevance() if by_relevance else found.by_time()
        shown = list(islice(found.verified(walk), asked.limit + 1))
        fit = fitting([record for _, _, record in shown], asked.limit)
        return {
            "images": [
                public(record, public_url)
                | {"score": round(hit.score, 4) if by_relevance else None}
                | {"snippet": snippet(query, record.get("prompt") or "")}
                for _, hit, record in shown[:fit]
            ],
            "count": len(shown[:fit]),
            "limit": asked.limit,
            "next_cursor": cursors.seal(list(shown[fit - 1][0]), scope) if len(shown) > fit else None,
        }

    def _datasets(self, caller: Caller, text: str) -> set[str]:
        """The ids that a dataset operand stands for: itself, or those of the datasets it names, among the caller's own
        and the public ones."""
        if (given := dataset_id(text)) is not None:
            return {given}
        wanted = [word.text for word in words(text)]
        if not wanted:
            return set()
        return {
            dataset["id"]
            for visibility in (None, "public")
            for dataset in self._listed(caller, visibility)
            if matching.occurrences(wanted, [word.text for word in words(dataset["name"])])
        }

    def _listed(self, caller: Caller, visibility: str | None) -> Iterator[dict[str, Any]]:
        cursor = None
        for _ in range(_DATASETS_LOOKED_AT // 200):
            page = self.datasets.page(caller, limit=200, cursor=cursor, visibility=visibility)
            yield from page["datasets"]
            if (cursor := page["next_cursor"]) is None:
                return


class _Found:
    """The hits after a place, in either order, read as far as they are asked for."""

    def __init__(
        self,
        search: Search,
        caller: Caller,
        asked: SearchQuery,
        query: Query,
        place: _Place | None,
        owner: str | None,
    ) -> None:
        self._search, self._caller, self._asked, self._query = search, caller, asked, query
        self._place, self._owner = place, owner
        numbers = range(search.shards.count) if owner is None else [search.shards.of(owner)]
        self._shards = self._side_by_side(search.reader.shard, numbers)
        self._until = engine.micros(search.now()) if place is None else place.until
        self._since = self._unseen() if place is None else place.since
        self._fresh = self._fresh_hits()

    def verified(self, walk: Iterator[tuple[_Place, Hit]]) -> Iterator[tuple[_Place, Hit, Item]]:
        """The hits that are still to be shown, with their records."""
        batch: list[tuple[_Place, Hit]] = []
        for candidate in walk:
            batch.append(candidate)
            if len(batch) > self._asked.limit:
                yield from self._read(batch)
                batch = []
        yield from self._read(batch)

    def _read(self, batch: list[tuple[_Place, Hit]]) -> Iterator[tuple[_Place, Hit, Item]]:
        ids = [hit.id for _, hit in batch]
        records = self._search.dynamo.get_many(self._search.images_table, ids) if ids else {}
        for place, hit in batch:
            record = records.get(hit.id)
            if record is not None and self._shows(record):
                yield place, hit, record

    def _shows(self, record: Item) -> bool:
        """Whether the record is still one to show: what was indexed may have changed since."""
        asked = self._asked
        return bool(
            "deleted_at" not in record
            and self._owner in (None, record["owner"])
            and asked.status in ("all", record["status"])
            and asked.dataset_id in (None, record.get("dataset_id"))
            and (record.get("favorite") or not asked.favorite)
        )

    def by_relevance(self) -> Iterator[tuple[_Place, Hit]]:
        """The most relevant first, in blocks."""
        place = self._place
        first = 0 if place is None else place.block
        for block in range(first, MAX_BLOCKS):
            ranked, complete = self._block(block)
            start = 0
            if place is not None and block == first:
                passed = next((at for at, hit in enumerate(ranked) if hit.id == place.id), None)
                start = place.rank if passed is None else passed + 1
            for rank, hit in enumerate(ranked[start:], start):
                yield _Place(self._until, self._since, block, rank, hit.created, hit.id), hit
            if complete:
                return

    def _block(self, block: int) -> tuple[list[Hit], bool]:
        """Five hundred hits of the index in their rank, the newer first among equals; with the first of them all that
        is not indexed yet. And whether these are the last."""
        depth = (block + 1) * BLOCK
        filters = self._filters(_micros(self._asked.from_, _EARLIEST), self._until)
        lists = self._hits(lambda view: view.best(self._query, filters, depth))
        held = [hit for hits in lists for hit in hits]
        chosen = nlargest(depth, held, key=lambda hit: hit.score)[block * BLOCK :]
        hits = [hit for hit in chosen if hit.id not in self._fresh]
        hits += self._fresh.values() if block == 0 else ()
        return sorted(hits, key=lambda hit: (-hit.score, -hit.created, hit.id)), len(held) < depth

    def by_time(self) -> Iterator[tuple[_Place, Hit]]:
        """Newest first. What was created in one microsecond is read as a whole, for the engine does not order it."""
        newest = self._until if self._place is None else self._place.created
        passed = (-newest, "" if self._place is None else self._place.id)
        depth = self._asked.limit + 1
        while True:
            filters = self._filters(_micros(self._asked.from_, _EARLIEST), newest)
            lists = self._hits(lambda view: view.newest(self._query, filters, depth))  # noqa: B023 (called at once)
            floor = max((hits[-1].created for hits in lists if len(hits) == depth), default=_EARLIEST - 1)
            held = {hit.id: hit for hits in lists for hit in hits} | self._fresh
            order = sorted((-hit.created, hit.id) for hit in held.values() if floor < hit.created <= newest)
            for key in order:
                if key > passed:
                    hit = held[key[1]]
                    yield _Place(self._until, self._since, 0, 0, hit.created, hit.id), hit
            if floor < _EARLIEST:
                return
            depth = depth * 2 if floor == newest else self._asked.limit + 1
            newest = floor

    def _hits(self, ask: Callable[[engine.View], list[Hit]]) -> list[list[Hit]]:
        """What each shard that holds anything answers."""
        return self._side_by_side(ask, [shard.view for shard in self._shards if shard.view is not None])

    def _side_by_side(self, call: Callable[[A], B], given: Sequence[A]) -> list[B]:
        return [call(one) for one in given] if len(given) == 1 else list(self._search.executor.map(call, given))

    def _filters(self, low: int, high: int) -> Filters:
        asked = self._asked
        return Filters(
            owner=self._owner,
            status=None if asked.status == "all" else asked.status,
            dataset_id=asked.dataset_id,
            favorite=asked.favorite or None,
            created=(low, min(high, _micros(asked.to, _LATEST) - 1)),
        )

    def _unseen(self) -> str:
        """From when on records may be missing in the index.

        One shard knows; of all of them, some of which may be quiet for days, only the last minutes are looked at again.
        """
        position = self._shards[0].position
        if self._owner is None:
            position = moments.to_text(self._search.now())
        return moments.to_text(datetime.fromisoformat(position) - OVERLAP) if position else ""

    def _fresh_hits(self) -> dict[str, Hit]:
        """The matches among the records that may be missing in the index."""
        asked = self._asked
        since = datetime.fromisoformat(self._since) if self._since else None
        begin = max((moment for moment in (since, asked.from_) if moment is not None), default=None)
        until = engine.moment(self._until + 1)
        end = until if asked.to is None else min(asked.to, until)
        if self._query.matches_nothing or (begin is not None and begin >= end):
            return {}
        listed = HistoryQuery(
            limit=MAX_FRESH,
            dataset_id=asked.dataset_id,
            status=asked.status,
            favorite=asked.favorite,
            from_=begin,
            to=end,
        )
        statistics = self._shards[0].view or _Nothing()
        hits: dict[str, Hit] = {}
        for record in self._search.history.newest(self._caller, listed):
            score = matching.score(self._query, matching.Document(record), statistics) if self._shows(record) else None
            if score is not None:
                hits[record["id"]] = Hit(record["id"], score, engine.created(record))
        return hits


class _Nothing:
    """The statistics of an index that does not exist yet."""

    documents = 0
    mean_length = 1.0

    def frequency(self, _field: str, _word: str) -> int:
        return 0


def _scope(caller: Caller, asked: SearchQuery, *, sees_all: bool) -> tuple[str | None, ...]:
    bounds = (None if moment is None else moments.to_text(moment) for moment in (asked.from_, asked.to))
    favorite = "favorite" if asked.favorite else None
    seen = "all" if sees_all else "own"
    return ("search", caller.owner, seen, asked.q, asked.sort, asked.dataset_id, asked.status, favorite, *bounds)


def _place(cursor: str, scope: tuple[str | None, ...]) -> _Place:
    try:
        place = _Place(*cursors.unseal(cursor, scope))
        engine.moment(place.until + 1), engine.moment(place.created), engine.halves(place.id)
        if place.since:
            moments.from_text(place.since)
        if 0 <= place.block < MAX_BLOCKS and place.rank >= 0:
            return place
    except (AttributeError, OverflowError, TypeError, ValueError):
        pass
    raise cursors.refused()


def _micros(moment: datetime | None, default: int) -> int:
    return default if moment is None else engine.micros(moment)
