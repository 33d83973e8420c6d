"""The hits of a search in their order, from any place on: those of the index and those it does not hold yet.

A place is the rank, time of creation and id of a record. None of these ever changes, so whatever is created, deleted,
restored, indexed or merged between two pages, what stays visible is met exactly once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from imagetrail.search import engine, ranking
from imagetrail.search.engine import LATEST

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from imagetrail.search.engine import Column, Filters, Hit, View
    from imagetrail.search.language import Query


class Place(NamedTuple):
    """Where a record stands; the larger comes first."""

    rank: int
    created: int
    id: str

    @property
    def high(self) -> int:
        """The first half of the id."""
        return engine.halves(self.id)[0]


FIRST = Place(ranking.RANKS, LATEST, "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """`ask` calls every shard, and `depth` hits are read at once. `known` are hits that are not taken from the index.

    Without `ranks` every rank is 0, and the newest comes first.
    """

    ask: Callable[[Callable[[View], list[Hit]]], list[list[Hit]]]
    query: Query
    filters: Filters
    known: Mapping[str, Place]
    depth: int
    ranks: bool

    def places(self, after: Place) -> Iterator[Place]:
        """The places after this one."""
        if not self.ranks:
            yield from self._down(self.filters, 0, after)
            return
        rest = self
        if self.query.phrase:
            close = replace(self.filters, close=True)
            few = self._few(close)
            yield from self._tier(close, few, after)
            # To leave out the few by their ids is faster than to look for the phrase in every prompt again.
            if few is None:
                rest = replace(self, filters=replace(self.filters, close=False))
            else:
                rest = replace(self, known={**self.known, **{place.id: place for place in few}})
        yield from rest._tier(rest.filters, rest._few(rest.filters), after)

    def _few(self, filters: Filters) -> list[Place] | None:
        """The index's hits of any rank, if they are few enough to be read at once."""
        hits, floor = self._read(filters, self.depth)
        return [self._place(hit, filters) for hit in hits] if floor < filters.created[0] else None

    def _tier(self, filters: Filters, few: list[Place] | None, after: Place) -> Iterator[Place]:
        """The hits whose prompts say the phrase, or those whose prompts do not."""
        ranks = [ranking.rank(low, close=bool(filters.close)) for low, _ in ranking.LENGTHS]
        if few is not None:
            yield from self._ordered(few, ranks, after)
            return
        for rank, length in zip(ranks, ranking.LENGTHS, strict=True):
            if rank <= after.rank:
                yield from self._down(replace(filters, length=length), rank, after)

    def _down(self, filters: Filters, rank: int, after: Place, column: Column = "created") -> Iterator[Place]:
        """The hits of one rank, by a column. Of many that were created in one microsecond the ids decide."""
        low, top = getattr(filters, column)
        if after.rank == rank and (column == "created" or after.created == filters.created[0]):
            top = min(top, getattr(after, column))
        depth = self.depth
        while low <= top:
            bounds: Any = {column: (low, top)}
            hits, floor = self._read(replace(filters, **bounds), depth, column)
            for place in self._ordered([self._place(hit, filters) for hit in hits], [rank], after):
                if floor < getattr(place, column) <= top and filters.created[0] <= place.created <= filters.created[1]:
                    yield place
            if floor < low:
                return
            if floor < top:
                top, depth = floor, self.depth
            elif column == "created":
                yield from self._down(replace(filters, created=(top, top)), rank, after, "high")
                top -= 1
            else:
                depth *= 2

    def _read(self, filters: Filters, depth: int, column: Column = "created") -> tuple[list[Hit], int]:
        """The hits with the largest values of a column, and the floor: all that are above it are among them."""
        lists = self.ask(lambda view: view.top(self.query, filters, depth, column))
        floor = max((getattr(hits[-1], column) for hits in lists if len(hits) == depth), default=engine.EARLIEST - 1)
        return [hit for hits in lists for hit in hits if hit.id not in self.known], floor

    def _ordered(self, indexed: list[Place], ranks: list[int], after: Place) -> list[Place]:
        known = [place for place in self.known.values() if place.rank in ranks]
        return sorted((place for place in indexed + known if place < after), reverse=True)

    def _place(self, hit: Hit, filters: Filters) -> Place:
        rank = ranking.rank(hit.length, close=bool(filters.close)) if self.ranks else 0
        return Place(rank, hit.created, hit.id)
