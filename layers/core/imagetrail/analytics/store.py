"""The reports table: rollups by scope and day, which of them count, and which days have to be folded again.

A fold writes its rollups under a generation of its own, beside those that count, and then swaps: readers see the old
day or the new one. The last fold to begin wins, so that none that read earlier can overwrite one that read later.

| id | day | |
|---|---|---|
| an owner, or `all` | `2026-11-22 GENERATION` | a rollup |
| `folds` | `2026-11-22` | which generation counts, which there are, and whose turn it is |
| `touched` | `2026-11-22` | records of this day have changed since `at` |
| `forgotten` | an owner | to be left out of every fold; `days` still have to be folded without them |
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from imagetrail import moments
from imagetrail.dynamo import ConditionFailedError, Expression, assignment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import datetime

    from imagetrail.dynamo import Dynamo, Item

EVERYBODY = "all"
BY_DAY = "idx_reports_day"
GRACE = timedelta(minutes=16)
"""Longer than any fold may run, and than an index may lag behind its table."""

_FOLDS, _TOUCHED, _FORGOTTEN = "folds", "touched", "forgotten"
_FORGOTTEN_FOR = timedelta(days=1)
_READS = 3


class SupersededError(Exception):
    """Another fold of the day has begun since, or one of its users is to be forgotten."""


@dataclass(frozen=True, slots=True)
class Turn:
    """A fold that has begun: its day, its generation, the one that counted then, and all that there are; and the owners
    that it leaves out.

    `digest` is that of the records that count, if the lake holds them for certain; `alone` is false where another fold
    may still be at work, which may yet write what it read before.
    """

    day: str
    generation: str
    began_at: datetime
    current: str | None
    generations: frozenset[str]
    digest: str | None
    alone: bool
    forgotten: frozenset[str]


class Store:
    """Each write takes effect once, or does no harm twice."""

    def __init__(self, dynamo: Dynamo, table: str) -> None:
        self._dynamo, self._table = dynamo, table

    def touch(self, days: Iterable[str], at: datetime) -> None:
        """Notes that records of these days have changed by `at`."""
        for day in filter(_is_day, days):
            changed = Expression("SET #at = :at", {"at": moments.to_text(at)})
            later = Expression("attribute_not_exists(#at) OR #at < :at", {"at": moments.to_text(at)})
            with suppress(ConditionFailedError):
                self._dynamo.update(self._table, {"id": _TOUCHED, "day": day}, changed, later)

    def touched(self) -> dict[str, datetime]:
        """When the records of each such day changed last."""
        return {item["day"]: moments.from_text(item["at"]) for item in self._rows(_TOUCHED)}

    def untouch(self, day: str, at: datetime) -> None:
        """The day is folded as it has been since `at`; a later change stays noted."""
        same = Expression("#at = :at", {"at": moments.to_text(at)})
        with suppress(ConditionFailedError):
            self._dynamo.delete(self._table, {"id": _TOUCHED, "day": day}, same)

    def begin(self, day: str, now: datetime) -> Turn:
        """Takes the turn. Where another fold may still be at work, the day has to be folded once more after this."""
        generation, forgotten = moments.new_id(now), frozenset(self._forgotten(now))
        change = Expression(
            "SET #turn = :generation, #began_at = :now ADD #generations :generations",
            {"generation": generation, "now": moments.to_text(now), "generations": {generation}},
        )
        self._dynamo.update(self._table, _fold(day), change)
        held = self._dynamo.get(self._table, _fold(day), consistent=True) or {}
        current, generations = held.get("generation"), frozenset(held["generations"])
        alone = all(name < _oldest_alive(now) for name in generations - {generation, current})
        if not alone:
            self.touch([day], now)
        return Turn(day, generation, now, current, generations, held.get("digest"), alone, forgotten)

    def put(self, turn: Turn, rollups: Iterable[tuple[str, bytes]]) -> None:
        """Writes rollups by scope, not yet to be read."""
        name = _row(turn.day, turn.generation)
        self._dynamo.put_many(self._table, ({"id": scope, "day": name, "rollup": rollup} for scope, rollup in rollups))

    def check(self, turn: Turn, holds: Callable[[str], bool]) -> None:
        """Raises SupersededError when the turn is another's, or an owner that it holds is to be forgotten by now."""
        held = self._dynamo.get(self._table, _fold(turn.day), consistent=True) or {}
        forgotten = self._forgotten(turn.began_at).keys() - turn.forgotten
        if held.get("turn") != turn.generation or any(map(holds, forgotten)):
            raise SupersededError

    def swap(self, turn: Turn, summary: Item, digest: str) -> None:
        """Makes the turn's rollups those that count. Raises SupersededError."""
        self.confirm(turn, {**summary, "generation": turn.generation, "digest": digest if turn.alone else None})

    def confirm(self, turn: Turn, summary: Item) -> None:
        """Says of the rollups that count that they still do. Raises SupersededError."""
        mine = Expression("#turn = :turn", {"turn": turn.generation})
        try:
            self._dynamo.update(self._table, _fold(turn.day), assignment(summary), mine)
        except ConditionFailedError:
            raise SupersededError from None

    def sweep(self, turn: Turn, *, swapped: bool) -> None:
        """Deletes the rollups that no longer count, but for those that another fold may be writing."""
        counts = turn.generation if swapped else turn.current
        ours = {turn.current, turn.generation}
        oldest_alive = _oldest_alive(turn.began_at)
        gone = {name for name in turn.generations if name != counts and (name in ours or name < oldest_alive)}
        for name in gone:
            row = _row(turn.day, name)
            for scopes in self._pages(BY_DAY, "day", row):
                self._dynamo.delete_many(self._table, [{"id": item["id"], "day": row} for item in scopes])
        if gone:
            self._dynamo.update(self._table, _fold(turn.day), Expression("DELETE #generations :gone", {"gone": gone}))

    def forget(self, owner: str, now: datetime) -> set[str]:
        """Leaves an owner out of all folds that end after this, for a day; the days of which something may be left."""
        expires = int((now + _FORGOTTEN_FOR).timestamp())
        place, begun = {"id": _FORGOTTEN, "day": owner}, Expression("SET #expires_at = :at", {"at": expires})
        self._dynamo.update(self._table, place, begun)
        if days := {name[:10] for name in self.rows_of(owner)}:
            self._dynamo.update(self._table, place, Expression("ADD #days :days", {"days": days}))
        left: set[str] = (self._dynamo.get(self._table, place, consistent=True) or {}).get("days", set())
        return left

    def is_without(self, turn: Turn) -> None:
        """Nothing is left in this day of those whom the turn has left out."""
        if turn.alone:
            for owner in turn.forgotten:
                done = Expression("DELETE #days :days", {"days": {turn.day}})
                with suppress(ConditionFailedError):
                    place = {"id": _FORGOTTEN, "day": owner}
                    self._dynamo.update(self._table, place, done, Expression("attribute_exists(#days)"))

    def _forgotten(self, now: datetime) -> dict[str, Item]:
        moment = now.timestamp()
        return {item["day"]: item for item in self._rows(_FORGOTTEN) if item["expires_at"] > moment}

    def rows_of(self, scope: str, day: str | None = None) -> list[str]:
        """The names of a scope's rollups, whether they count or not."""
        return [item["day"] for item in self._rows(scope, day, day)]

    def delete(self, scope: str, names: Iterable[str]) -> None:
        """Deletes rollups of one scope."""
        self._dynamo.delete_many(self._table, [{"id": scope, "day": name} for name in names])

    def read(self, scope: str, first: str, last: str) -> tuple[dict[str, bytes], list[Item]]:
        """The rollups that count by day, and the folds they are of, from one day to another. Two reads."""
        for attempt in range(_READS):
            folds = list(self._rows(_FOLDS, first, last))
            rows = {item["day"]: item["rollup"] for item in self._rows(scope, first, last)}
            named = {fold["day"]: _row(fold["day"], fold["generation"]) for fold in folds if "generation" in fold}
            # A day of which only rollups are left that do not count was swapped between the reads.
            stale = {name[:10] for name in rows} - {day for day, name in named.items() if name in rows}
            if not stale & named.keys() or attempt == _READS - 1:
                break
        counted = {day: rows[name] for day, name in named.items() if name in rows}
        return counted, [fold for fold in folds if "generation" in fold]

    def _rows(self, scope: str, first: str | None = None, last: str | None = None) -> Iterator[Item]:
        bounds = None if first is None or last is None else (first, f"{last}~")
        for page in self._pages(None, "id", scope, bounds):
            yield from page

    def _pages(
        self, index: str | None, attribute: str, partition: str, bounds: tuple[str, str] | None = None
    ) -> Iterator[list[Item]]:
        values: dict[str, Any] = {"partition": partition}
        text = f"#{attribute} = :partition"
        if bounds is not None:
            text += " AND #day BETWEEN :first AND :last"
            values["first"], values["last"] = bounds
        start = None
        while True:
            page = self._dynamo.query(
                self._table, index, Expression(text, values), newest_first=False, limit=1_000, start=start
            )
            yield page.items
            if (start := page.last) is None:
                return


def _is_day(text: str) -> bool:
    with suppress(ValueError):
        return date.fromisoformat(text).isoformat() == text
    return False


def _fold(day: str) -> Item:
    return {"id": _FOLDS, "day": day}


def _row(day: str, generation: str) -> str:
    return f"{day} {generation}"


def _oldest_alive(now: datetime) -> str:
    """What the generations of folds that may still be at work are not less than: their names begin with the time."""
    return moments.new_id(now - GRACE, entropy=0)
