"""Search: the caller's records that match, best or newest first, page by page.

Candidates come from the index and, for what the index does not hold yet, from the list itself. Whatever is shown has
been read from the table just before, so a stale index can neither show what is gone nor what is not the caller's.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from imagetrail import cursors, moments
from imagetrail.errors import Unavailable
from imagetrail.history import fitting
from imagetrail.records import public
from imagetrail.search import engine, matching, ranking
from imagetrail.search.analysis import words
from imagetrail.search.hits import Hits
from imagetrail.search.language import dataset_id, parse
from imagetrail.search.snippets import snippet
from imagetrail.search.walking import FIRST, Place

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Executor
    from datetime import datetime

    from imagetrail.callers import Caller
    from imagetrail.datasets import Datasets
    from imagetrail.dynamo import Dynamo
    from imagetrail.history import History
    from imagetrail.search.reader import Reader
    from imagetrail.search.shards import Shards

Sort = Literal["relevance", "time"]

_DATASETS_LOOKED_AT = 1_000
_ORDER = "search 2"  # another order of hits is another number: cursors of the old one are refused


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


class _Cursor(NamedTuple):
    """Where a page ended; what was created after `until`, the time of the first page, is not part of the search."""

    until: int
    rank: int
    created: int
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """Reads one shard for a caller, and all of them, side by side, only for those who see every record.

    `requests` runs whole searches, so that one can be abandoned; `executor` runs the parts of one. A page ends early
    after `max_read` records, however few of them are still to be shown.
    """

    history: History
    datasets: Datasets
    dynamo: Dynamo
    images_table: str
    reader: Reader
    shards: Shards
    requests: Executor
    executor: Executor
    max_read: int = 2_000
    now: Callable[[], datetime] = moments.utc_now

    def page(
        self, caller: Caller, asked: SearchQuery, public_url: str, time_left: timedelta = timedelta(seconds=8)
    ) -> dict[str, Any]:
        """At most `limit` records with `score` and `snippet`, fewer where many hits are gone: then with a cursor.

        Raises InvalidCursor, Unauthenticated, and Unavailable, also when the time is over.
        """
        running = self.requests.submit(self._page, caller, asked, public_url)
        try:
            return running.result(max(time_left.total_seconds(), 0))
        except TimeoutError:
            running.cancel()
            raise Unavailable("The search took too long. Please try again shortly.") from None

    def _page(self, caller: Caller, asked: SearchQuery, public_url: str) -> dict[str, Any]:
        sees_all = self.history.sees_all(caller)
        scope = _scope(caller, asked, sees_all=sees_all)
        place = None if asked.cursor is None else _read_cursor(asked.cursor, scope)
        query = parse(asked.q).with_datasets(lambda text: self._datasets(caller, text))
        until = engine.micros(self.now()) if place is None else place.until
        found = Hits(self, caller, asked, query, until, None if sees_all else caller.owner)
        after = FIRST if place is None else Place(*place[1:])
        shown = list(islice(found.verified(after), asked.limit + 1))
        fit = fitting([record for _, record in shown], asked.limit)
        last = shown[fit - 1][0] if len(shown) > fit else found.ended_at
        return {
            "images": [
                public(record, public_url)
                | {"score": ranking.score(place.rank) if found.ranks else None}
                | {"snippet": snippet(query, record.get("prompt") or "")}
                for place, record in shown[:fit]
            ],
            "count": len(shown[:fit]),
            "limit": asked.limit,
            "next_cursor": None if last is None else cursors.seal([until, *last], scope),
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
            if matching.occurs(wanted, [word.text for word in words(dataset["name"])])
        }

    def _listed(self, caller: Caller, visibility: str | None) -> Iterator[dict[str, Any]]:
        cursor = None
        for _ in range(_DATASETS_LOOKED_AT // 200):
            page = self.datasets.page(caller, limit=200, cursor=cursor, visibility=visibility)
            yield from page["datasets"]
            if (cursor := page["next_cursor"]) is None:
                return


def _scope(caller: Caller, asked: SearchQuery, *, sees_all: bool) -> tuple[str | None, ...]:
    bounds = (None if moment is None else moments.to_text(moment) for moment in (asked.from_, asked.to))
    favorite = "favorite" if asked.favorite else None
    seen = "all" if sees_all else "own"
    return (_ORDER, caller.owner, seen, asked.q, asked.sort, asked.dataset_id, asked.status, favorite, *bounds)


def _read_cursor(cursor: str, scope: tuple[str | None, ...]) -> _Cursor:
    try:
        held = _Cursor(*cursors.unseal(cursor, scope))
        engine.moment(held.until + 1), engine.moment(held.created), engine.halves(held.id)
        if all(isinstance(value, int) for value in held[:3]) and 0 <= held.rank < ranking.RANKS:
            return held
    except (AttributeError, OverflowError, TypeError, ValueError):
        pass
    raise cursors.refused()
