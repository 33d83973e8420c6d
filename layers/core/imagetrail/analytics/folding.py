"""The fold: what the day's records come to, made anew from the records, whenever any of them has changed."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import TYPE_CHECKING

from imagetrail import moments
from imagetrail.analytics.lake import spilling, to_parquet
from imagetrail.analytics.rollup import Rollup, cell_of, keys_of, user_key
from imagetrail.analytics.rows import Poisoned, row
from imagetrail.analytics.store import EVERYBODY, GRACE, SupersededError
from imagetrail.callers import owner_of
from imagetrail.dynamo import Expression
from imagetrail.errors import Unavailable
from imagetrail.history import BY_DAY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import datetime

    from imagetrail.analytics.lake import Lake, Spill
    from imagetrail.analytics.store import Store, Turn
    from imagetrail.dynamo import Dynamo, Item
    from imagetrail.ledger import Days

_NAMED = 50
_PAGE = 1_000
_LAST_START = timedelta(minutes=5)
_FIRST_DAY, _LAST_DAY = "0001-01-01", "9999-12-31"


@dataclass(slots=True)
class Folded:
    """What one run did: records by day, the ids of those that could not be counted with the column that is wrong, days
    that another run took over, days that failed with the type of the error, and days left for the next run."""

    days: dict[str, int] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    superseded: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    left: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fold:
    """Folds touched days. `days` are those that have records at all."""

    dynamo: Dynamo
    images_table: str
    store: Store
    lake: Lake
    days: Days
    now: Callable[[], datetime] = moments.utc_now
    elapsed: Callable[[], float] = time.monotonic

    def touch(self, event: Item) -> int:
        """Notes the days of the records that a stream's batch tells of; how many they are."""
        days: set[str] = set()
        for change in event["Records"]:
            seen = change["dynamodb"]
            images = (seen.get("NewImage") or {}, seen.get("OldImage") or {})
            days |= {image["created_day"]["S"] for image in images if "S" in image.get("created_day", {})}
        self.store.touch(days, self.now())
        return len(days)

    def run(self, first: str | None = None, last: str | None = None) -> Folded:
        """Folds what is touched, the newest day first; with a day or two, also every day between. Raises
        Unavailable, and ValueError for what is no day such as 2026-02-02.

        A day that fails stops no other, and stays touched. No day is begun after five minutes, so that each has ten.
        """
        started, folded = self.elapsed(), Folded()
        if first is not None or last is not None:
            # As of long ago: unlike a change just seen, this asks for one fold only.
            self.store.touch(self._between(first, last), self.now() - 2 * GRACE)
        for day, at in sorted(self.store.touched().items(), reverse=True):
            if self.elapsed() - started > _LAST_START.total_seconds():
                folded.left.append(day)
                continue
            began = self.now()
            try:
                self.fold(day, folded)
            except Unavailable:
                raise
            except SupersededError:
                folded.superseded.append(day)
            except Exception as error:
                folded.failed[day] = type(error).__name__
            else:
                # What changed a moment before may not have stood in the index yet.
                if at < began - GRACE:
                    self.store.untouch(day, at)
        return folded

    def fold(self, day: str, folded: Folded) -> None:
        """Makes a day's rollups and its file in the lake anew, unless its records are as they were. Raises
        SupersededError and Unavailable."""
        turn = self.store.begin(day, self.now())
        swapped = False
        try:
            with spilling() as spill:
                skipped = self._spill(day, spill, turn.forgotten)
                summary = {
                    "folded_at": moments.to_text(turn.began_at),
                    "records": spill.count,
                    "skipped": len(skipped),
                    "skipped_ids": sorted(skipped)[:_NAMED],
                }
                if spill.digest == turn.digest:
                    self.store.confirm(turn, summary)
                else:
                    self._write(turn, spill)
                    self.store.swap(turn, summary, spill.digest)
                    swapped = True
                self.store.is_without(turn)
                folded.days[day] = spill.count
                folded.skipped |= skipped
        except SupersededError:
            # What this one wrote to the lake may have come after what the other wrote.
            self.store.touch([day], self.now())
            raise
        finally:
            self.store.sweep(turn, swapped=swapped)

    def _between(self, first: str | None, last: str | None) -> list[str]:
        low, high = (date.fromisoformat(day).isoformat() for day in (first or _FIRST_DAY, last or _LAST_DAY))
        if low > high:
            raise ValueError("`from` must not be later than `to`")
        return [day for day in self.days.between(None, None) if low <= day <= high]

    def _spill(self, day: str, spill: Spill, without: frozenset[str]) -> dict[str, str]:
        """Reads the day; the ids of the records that cannot be counted, with the column that is wrong."""
        skipped = {}
        for item in self._records(day):
            try:
                made = row(item, day)
            except Poisoned as error:
                skipped[str(item["id"])] = str(error)
                continue
            if (owner := owner_of(made["user_id"])) not in without:
                spill.add(made, owner)
        spill.close()
        return skipped

    def _records(self, day: str) -> Iterator[Item]:
        key, start = Expression("#created_day = :day", {"day": day}), None
        while True:
            page = self.dynamo.query(self.images_table, BY_DAY, key, newest_first=False, limit=_PAGE, start=start)
            yield from page.items
            if (start := page.last) is None:
                return

    @staticmethod
    def _rollups(spill: Spill, everybody: Rollup) -> Iterable[tuple[str, bytes]]:
        """Each owner's rollup; `everybody` is filled on the way."""
        for rows in spill.buckets():
            owners: dict[str, Rollup] = {}
            for made in rows:
                keys, cell, owner = keys_of(made), cell_of(made), owner_of(made["user_id"])
                if owner not in owners:
                    owners[owner] = Rollup()
                owners[owner].add(made, keys, cell)
                everybody.add(made, [*keys, user_key(made)], cell)
            for owner, rollup in owners.items():
                yield owner, rollup.packed()

    def _write(self, turn: Turn, spill: Spill) -> None:
        everybody = Rollup()
        self.store.put(turn, self._rollups(spill, everybody))
        self.store.put(turn, [(EVERYBODY, everybody.packed())])
        parquet = to_parquet(spill) if spill.count else None
        self.store.check(turn, spill.holds)
        if parquet is None:
            self.lake.delete(turn.day)
        else:
            self.lake.put(turn.day, parquet)
